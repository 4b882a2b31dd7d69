//! The sentence of the rules in a real browser: as it is typed, and without JavaScript once it is saved.

use crate::support::browser::Script;
use crate::support::office::Office;
use crate::support::world::World;

const SENTENCE: &str = "Every affiliate with at least USD 20 is paid for commissions older than 30 days, after approval by \
                        a second person above USD 1,000.";

async fn sentence(script: Script) {
    let office = Office::open(World::connected().await, script).await;
    office.go("/settings/rules").await;
    office.says("Every affiliate is paid for commissions as soon as they are due.").await;
    office.browser.fill("minimum_USD", "20").await;
    office.browser.fill("approval_above_USD", "1000").await;
    office.browser.fill("waiting_days", "30").await;
    if script == Script::On {
        office.says(SENTENCE).await;
        let address = office.browser.current_url().await.unwrap();
        assert!(address.query().is_none(), "the page is still the same: {address}");
    } else {
        office.never_says(SENTENCE).await;
    }
    office.press("Save").await;
    office.says("Saved. The rules hold from now on.").await;
    office.says(SENTENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sentence_rewrites_itself_as_the_rules_are_typed() {
    sentence(Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_javascript_it_is_told_once_they_are_saved() {
    sentence(Script::Off).await;
}
