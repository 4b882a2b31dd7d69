//! A real browser without a screen: Chromium, driven through chromedriver. Dropped, both are gone with every process they
//! started.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use thirtyfour::prelude::*;

const FLAGS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];

/// Whether pages may run scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// As most browsers.
    On,
    /// JavaScript is switched off.
    Off,
}

/// One window.
pub struct Browser {
    driver: WebDriver,
    process: Child,
    profile: PathBuf,
}

impl Deref for Browser {
    type Target = WebDriver;
    fn deref(&self) -> &WebDriver {
        &self.driver
    }
}

impl Browser {
    /// Opens a window of 1280 by 900 in light colours.
    ///
    /// # Panics
    /// When the machine has no browser, with what to install.
    pub async fn open(script: Script) -> Self {
        let chromium = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(on_path);
        let chromium = chromium.expect("these tests need a browser: apt-get install chromium");
        let profile = super::program::test_folder().join(format!("browser-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir(&profile).unwrap();
        let (process, port) = start_driver();
        let mut wanted = DesiredCapabilities::chrome();
        wanted.set_binary(chromium.to_str().unwrap()).unwrap();
        for flag in FLAGS {
            wanted.add_arg(flag).unwrap();
        }
        wanted.add_arg(&format!("--user-data-dir={}", profile.display())).unwrap();
        if script == Script::Off {
            let prefs = serde_json::json!({ "profile.managed_default_content_settings.javascript": 2 });
            wanted.add_experimental_option("prefs", prefs).unwrap();
        }
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), wanted).await.unwrap();
        let browser = Self { driver, process, profile };
        browser.resize(1280, 900).await;
        browser
    }

    /// Sets the size of the page's area.
    pub async fn resize(&self, width: u32, height: u32) {
        let size = serde_json::json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// "light" or "dark".
    pub async fn colours(&self, scheme: &str) {
        let features = serde_json::json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.tell("Emulation.setEmulatedMedia", features).await;
    }

    /// Shows the page as a printer gets it.
    pub async fn as_printed(&self) {
        let media = serde_json::json!({ "media": "print", "features": [] });
        self.tell("Emulation.setEmulatedMedia", media).await;
    }

    /// Writes the whole page, from top to bottom, as a PNG; its width stays.
    pub async fn photograph(&self, path: &Path) {
        let size = self.tell("Page.getLayoutMetrics", serde_json::json!({})).await["cssContentSize"].clone();
        let clip = serde_json::json!({
            "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1
        });
        let how = serde_json::json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let picture = self.tell("Page.captureScreenshot", how).await;
        let bytes =
            base64::Engine::decode(&base64::engine::general_purpose::STANDARD, picture["data"].as_str().unwrap());
        std::fs::write(path, bytes.unwrap()).unwrap();
    }

    /// Types into the field of this name, instead of what was in it.
    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.driver.find(By::Name(name)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks the button or link with these words.
    pub async fn press(&self, words: &str) {
        let path = format!("//main//*[(self::button or self::a or self::summary) and normalize-space()='{words}']");
        self.driver.find(By::XPath(path)).await.unwrap().click().await.unwrap();
    }

    /// Waits until the page says so: a fragment may still be on its way.
    pub async fn wait_for_words(&self, words: &str) {
        let mut said = String::new();
        for _ in 0..600 {
            said = self.words().await;
            if said.contains(words) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the page never said {words:?}: {said}");
    }

    /// Waits until the page no longer says so.
    pub async fn wait_until_gone(&self, words: &str) {
        for _ in 0..600 {
            let said = self.words().await;
            if !said.is_empty() && !said.contains(words) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the page still says {words:?}");
    }

    /// What a person reads on the page; nothing while another page takes its place.
    pub async fn words(&self) -> String {
        let body = self.driver.find(By::Tag("body")).await;
        match body {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Gives the browser a device that keeps passkeys and says yes; its id.
    pub async fn virtual_authenticator(&self) -> String {
        self.tell("WebAuthn.enable", serde_json::json!({})).await;
        let options = serde_json::json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserVerified": true, "automaticPresenceSimulation": true
        });
        let made = self.tell("WebAuthn.addVirtualAuthenticator", serde_json::json!({ "options": options })).await;
        made["authenticatorId"].as_str().unwrap().to_owned()
    }

    /// Whether the person at that device shows finger or PIN.
    pub async fn user_verified(&self, authenticator: &str, yes: bool) {
        let how = serde_json::json!({ "authenticatorId": authenticator, "isUserVerified": yes });
        self.tell("WebAuthn.setUserVerified", how).await;
    }

    async fn tell(&self, command: &str, how: serde_json::Value) -> serde_json::Value {
        self.driver.cdp().send_raw(command, how).await.unwrap()
    }
}

/// chromedriver in a process group of its own, on a port that it chooses and tells. It chooses one address family's
/// port and may find it taken in the other, so it may have to choose again.
fn start_driver() -> (Child, u16) {
    let driver = on_path("chromedriver").expect("these tests need a browser's driver: apt-get install chromium-driver");
    for _ in 0..10 {
        let mut command = Command::new(&driver);
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let told = lines.find_map(|line| {
            line.unwrap().rsplit_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
        });
        if let Some(port) = told {
            // Whatever it says later is read and dropped, so that it never waits for a reader.
            std::thread::spawn(move || lines.for_each(drop));
            return (process, port);
        }
        process.wait().unwrap();
    }
    panic!("chromedriver never told its port");
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|file| file.is_file())
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        let _already_gone = killpg(group, Signal::SIGKILL);
        let _reaped = self.process.wait();
        let _nothing_depends_on_it = std::fs::remove_dir_all(&self.profile);
    }
}
