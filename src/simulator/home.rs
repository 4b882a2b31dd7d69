//! A page for people who open the simulator's address in a browser.

use super::reply::Reply;
use super::state::State;
use hyper::StatusCode;

/// What this is, and whom it knows.
pub fn page(state: &State) -> Reply {
    let (inner, now) = state.lock();
    let accounts: String = inner
        .accounts
        .iter()
        .map(|account| {
            let limits = match (account.payouts, account.approved) {
                (false, _) => " — its app lacks the Payouts feature",
                (true, false) => " — not approved for payouts",
                (true, true) => "",
            };
            format!("<li><code>{}</code>{limits}</li>", escape(&account.client_id))
        })
        .collect();
    let (time, batches) = (super::view::time(now), inner.bank.batches().len());
    Reply::html(
        StatusCode::OK,
        format!(
            r#"<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<title>PayPal simulator</title>
<style>body{{font:16px/1.6 system-ui,sans-serif;max-width:42rem;margin:4rem auto;padding:0 1rem}}</style>
<h1>A simulated PayPal</h1>
<p>It answers PayPal's Payouts API and moves no real money. Its time is {time}; it has accepted {batches} batches.</p>
<h2>Apps it knows, by Client ID</h2><ul>{accounts}</ul>
<h2>Doors</h2><ul><li><a href="/_simulator/bank">The bank</a>: every batch, item and balance</li>
<li><a href="/_simulator/calls">Calls</a> so far</li><li><a href="/_simulator/faults">Faults</a> still to come</li>
<li><a href="/_simulator/clock">The clock</a></li></ul>
<p><code>stipend paypal-simulator --help</code> explains them.</p></html>"#
        ),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
