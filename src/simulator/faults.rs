//! What goes wrong next. A rule names a call, which occurrence of it, and what happens then.

use super::call::Name;
use super::dropzone::faults::{self as dropzone, Step, Wrong};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which calls a rule watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Which {
    /// One of PayPal's calls.
    Call(Name),
    /// Something else.
    Other(Other),
    /// A step of a file through the DropZone.
    Dropzone(Step),
}

/// What is no single call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Other {
    /// The five calls that paying needs, counted together.
    Any,
    /// An event on its way to a webhook.
    Delivery,
}

/// What happens to the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Carried out at once, answered late.
    Delay,
    /// Carried out late.
    DelayBefore,
    /// Not carried out; answered with a status.
    Status,
    /// Carried out; answered with a status all the same.
    StatusAfter,
    /// Not carried out; the connection is reset.
    CutBefore,
    /// Carried out; the connection is reset.
    CutAfter,
    /// Carried out; the connection ends in the middle of the body.
    CutBody,
    /// Carried out; the body is HTML.
    Garbage,
    /// Not carried out; a 2xx with an HTML body.
    GarbageBefore,
    /// Carried out; the body is broken JSON.
    BrokenJson,
    /// Not carried out; a 2xx with broken JSON.
    BrokenJsonBefore,
    /// Carried out; the body is `{}`.
    Empty,
    /// Not carried out; a 2xx with `{}`.
    EmptyBefore,
    /// Carried out; the body dribbles in.
    SlowBody,
    /// Not carried out; 429.
    RateLimit,
    /// All tokens given out so far become invalid; then the call is carried out.
    ExpireTokens,
    /// Carried out; a duplicate answer has no link.
    DuplicateWithoutLink,
    /// Carried out; the batch accepted by it ends denied.
    Denied,
    /// Carried out; the batch accepted by it takes this long.
    SettleAfter,
    /// Carried out; the batch accepted by it is finished at once, and answered after its events were delivered.
    EventsFirst,
    /// A delivery is made twice.
    Duplicate,
    /// A delivery is made at some moment within this time.
    Shuffle,
    /// A delivery is never made.
    Lose,
    /// A delivery's first try has the signature of another body.
    ForgeSignature,
    /// A delivery's first try names a certificate elsewhere.
    ForgeHost,
    /// A delivery's first try is signed by somebody whose certificate is at the right place.
    ForgeCertificate,
    /// A delivery's first try has another body than the one that was signed.
    ForgeBody,
    /// A delivery's first try is signed for another webhook.
    ForgeWebhook,
    /// Something that happens at the DropZone.
    #[serde(untagged)]
    Dropzone(Wrong),
}

impl What {
    /// Whether it happens to deliveries alone.
    fn is_of_deliveries(self) -> bool {
        matches!(
            self,
            Self::Duplicate
                | Self::Shuffle
                | Self::Lose
                | Self::ForgeSignature
                | Self::ForgeHost
                | Self::ForgeCertificate
                | Self::ForgeBody
                | Self::ForgeWebhook
        )
    }
}

/// One rule, as it is given and shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The calls it watches.
    pub call: Which,
    /// What happens.
    pub what: What,
    /// Which of them it strikes first, from 1, counted from the rule's creation.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many of them it strikes, one after the other.
    #[serde(default = "one")]
    pub times: u64,
    /// Milliseconds, for whatever takes time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// The status answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The error's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The whole body instead of PayPal's envelope: JSON, or a string sent as HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Seconds in a `Retry-After` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// How many bytes of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

fn one() -> u64 {
    1
}

/// A rule at work.
#[derive(Debug, Clone, Serialize)]
struct Armed {
    #[serde(flatten)]
    rule: Rule,
    /// How many of its calls have arrived.
    seen: u64,
    /// How many of them it struck.
    fired: u64,
}

/// All rules at work.
#[derive(Debug, Default)]
pub struct Faults(Vec<Armed>);

impl Faults {
    /// Adds rules to those at work, all or none of them.
    pub fn add(&mut self, body: &[u8]) -> Result<(), String> {
        let rules: Vec<Rule> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        for (index, rule) in rules.iter().enumerate() {
            rule.check().map_err(|why| format!("rule {}: {why}", index + 1))?;
        }
        self.0.extend(rules.into_iter().map(|rule| Armed { rule, seen: 0, fired: 0 }));
        Ok(())
    }

    /// Forgets all rules.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many rules have not struck as often as they will.
    pub fn waiting(&self) -> usize {
        self.0.iter().filter(|armed| armed.fired < armed.rule.times).count()
    }

    /// The rules at work, and how often each struck.
    pub fn show(&self) -> Value {
        serde_json::to_value(&self.0).expect("rules came from JSON")
    }

    /// The rule that strikes this call. Every rule counts it; of several that would strike, the oldest does.
    pub fn strike(&mut self, call: Name) -> Option<Rule> {
        let mut struck = None;
        for armed in self.0.iter_mut().filter(|armed| armed.rule.call.watches(call)) {
            if armed.count() && struck.is_none() {
                armed.fired += 1;
                struck = Some(armed.rule.clone());
            }
        }
        struck
    }

    /// The rules that strike this delivery: all of them.
    pub fn strike_delivery(&mut self) -> Vec<Rule> {
        self.strike_all(|call| call == Which::Other(Other::Delivery))
    }

    /// The rules that strike this step of the DropZone: all of them.
    pub fn strike_step(&mut self, watches: impl Fn(Step) -> bool) -> Vec<Rule> {
        self.strike_all(|call| matches!(call, Which::Dropzone(step) if watches(step)))
    }

    fn strike_all(&mut self, watches: impl Fn(Which) -> bool) -> Vec<Rule> {
        let watching = self.0.iter_mut().filter(|armed| watches(armed.rule.call));
        let struck = watching.filter_map(|armed| {
            let strikes = armed.count();
            armed.fired += u64::from(strikes);
            strikes.then(|| armed.rule.clone())
        });
        struck.collect()
    }
}

impl Armed {
    /// Counts a call, and tells whether the rule strikes it.
    fn count(&mut self) -> bool {
        self.seen += 1;
        self.seen >= self.rule.nth && self.seen - self.rule.nth < self.rule.times
    }
}

impl Which {
    fn watches(self, call: Name) -> bool {
        match self {
            Self::Call(name) => call == name,
            Self::Other(Other::Any) => call.pays(),
            Self::Other(Other::Delivery) | Self::Dropzone(_) => false,
        }
    }
}

impl Rule {
    fn check(&self) -> Result<(), &'static str> {
        let takes_time =
            matches!(self.what, What::Delay | What::DelayBefore | What::SlowBody | What::SettleAfter | What::Shuffle);
        let answers = matches!(self.what, What::Status | What::StatusAfter);
        let only_create =
            matches!(self.what, What::DuplicateWithoutLink | What::Denied | What::SettleAfter | What::EventsFirst);
        let delivery = self.call == Which::Other(Other::Delivery);
        let named = answers || self.what == What::Denied;
        if self.nth == 0 || self.times == 0 {
            return Err("nth and times count from 1");
        }
        if let Which::Dropzone(step) = self.call {
            return dropzone::check(step, self);
        }
        if self.bytes.is_some() || matches!(self.what, What::Dropzone(_)) {
            return Err("this happens at the DropZone only");
        }
        if takes_time != self.ms.is_some() {
            return Err("ms belongs to delay, delay_before, slow_body, settle_after and shuffle, and they need it");
        }
        if self.ms.is_some_and(|ms| ms > 3_600_000) && self.what != What::SettleAfter {
            return Err("ms is at most an hour");
        }
        if answers != self.status.is_some() {
            return Err("status belongs to status and status_after, and they need it");
        }
        let status = self.status.unwrap_or(400);
        if !(400..600).contains(&status) {
            return Err("status is 400 to 599");
        }
        if self.name.is_some() && !named {
            return Err("name belongs to status, status_after and denied");
        }
        if self.body.is_some() && !answers {
            return Err("body belongs to status and status_after");
        }
        if self.retry_after.is_some() && !answers && self.what != What::RateLimit {
            return Err("retry_after belongs to rate_limit, status and status_after");
        }
        if only_create && self.call != Which::Call(Name::Create) {
            return Err("duplicate_without_link, denied, settle_after and events_first strike the create call only");
        }
        if delivery != (self.what.is_of_deliveries() || delivery && self.what == What::Delay) {
            return Err("deliveries are struck by delay, duplicate, shuffle, lose and forge_*, and nothing else is");
        }
        Ok(())
    }

    /// The status of a struck call that is answered without being carried out, or in spite of it.
    pub fn status_code(&self) -> StatusCode {
        self.status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}
