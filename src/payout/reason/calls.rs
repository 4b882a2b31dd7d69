//! Names of refused calls, and of what makes the merchant's queue wait. `SIGN_IN_REFUSED`, `FORBIDDEN` and `NOT_SENT`
//! are ours.

use super::Class::{APersonLooks, RetryLater, SenderMustAct, Wait};
use super::{DELAYED, Fix, Row, row};

const CANCEL: &str = "Your payment is being looked at. You need not do anything.";

pub(super) const ROWS: &[Row] = &[
    row(
        &["VALIDATION_ERROR", "INVALID_REQUEST"],
        APersonLooks,
        Fix::PayAgain,
        "PayPal takes a batch whole or not at all, and refused this one for what it names. Mend that and pay again.",
        DELAYED,
    ),
    row(
        &[
            "MALFORMED_REQUEST",
            "MALFORMED_REQUEST_JSON",
            "UNPROCESSABLE_ENTITY",
            "UNSUPPORTED_MEDIA_TYPE",
            "METHOD_NOT_SUPPORTED",
            "SYNC_MODE_NOT_APPLICABLE",
            "USER_BUSINESS_ERROR",
            "INVALID_RESOURCE_ID",
            "RESOURCE_NOT_FOUND",
        ],
        APersonLooks,
        Fix::ContactPayPal,
        "PayPal refused the request itself, which should not happen. Tell whoever runs Stipend before you pay again.",
        DELAYED,
    ),
    row(
        &["NON_HOLDING_CURRENCY"],
        SenderMustAct,
        Fix::TopUp,
        "Your PayPal account does not hold this currency, and PayPal did not convert another one. Open a balance in it at PayPal and add money.",
        DELAYED,
    ),
    row(
        &["BATCH_NOT_COMPLETED"],
        Wait,
        Fix::Wait,
        "PayPal is still working on the batch, so nothing in it can be cancelled yet.",
        CANCEL,
    ),
    row(
        &["ITEM_ALREADY_CANCELLED"],
        Wait,
        Fix::Wait,
        "This payment is cancelled already; the next look at PayPal shows it.",
        CANCEL,
    ),
    row(
        &["ITEM_CANCELLATION_FAILED"],
        RetryLater,
        Fix::PayAgain,
        "PayPal could not cancel this payment just now. Try again later.",
        CANCEL,
    ),
    row(
        &["ITEM_INCORRECT_STATUS"],
        Wait,
        Fix::Wait,
        "The payment has moved on meanwhile, so it cannot be cancelled. The next look at PayPal shows where it is.",
        CANCEL,
    ),
    row(
        &["SIGN_IN_REFUSED", "invalid_client", "invalid_token", "AUTHENTICATION_FAILURE"],
        SenderMustAct,
        Fix::Details,
        "PayPal refuses our sign-in: the Client ID and Secret do not fit any more. Enter the Secret again.",
        DELAYED,
    ),
    row(
        &["REQUIRED_SCOPE_MISSING"],
        SenderMustAct,
        Fix::Account,
        "The app may not send payouts. Enable Payouts for it in PayPal’s developer dashboard, then check again.",
        DELAYED,
    ),
    row(
        &["AUTHORIZATION_ERROR", "NOT_AUTHORIZED"],
        SenderMustAct,
        Fix::Account,
        "PayPal has not approved this account for payouts yet. Ask PayPal to enable Payouts; that can take some days.",
        DELAYED,
    ),
    row(
        &["FORBIDDEN"],
        SenderMustAct,
        Fix::Account,
        "PayPal does not let this account send payouts at the moment, and gave no reason. Look at your account at PayPal.",
        DELAYED,
    ),
    row(
        &["SENDER_EMAIL_UNCONFIRMED"],
        SenderMustAct,
        Fix::Account,
        "PayPal wants the e-mail address of your PayPal account confirmed. Open PayPal’s mail, or have it sent again in PayPal’s settings.",
        DELAYED,
    ),
    row(
        &["SENDER_ACCOUNT_UNVERIFIED", "CIP_NOT_VERIFIED"],
        SenderMustAct,
        Fix::Account,
        "PayPal wants the identity behind your PayPal account verified. Sign in to PayPal and complete what it asks for.",
        DELAYED,
    ),
    row(
        &["SENDER_RESTRICTED", "SENDER_LOCKED"],
        SenderMustAct,
        Fix::Account,
        "PayPal has restricted or locked your PayPal account. Look at the notices in your account, or call PayPal.",
        DELAYED,
    ),
    row(
        &["INSUFFICIENT_FUNDS"],
        SenderMustAct,
        Fix::TopUp,
        "There is not enough money in your PayPal balance in this currency for the payment and PayPal’s fee. Add money at PayPal.",
        DELAYED,
    ),
    row(
        &["RATE_LIMIT_REACHED", "RATE_LIMIT_VALIDATION_FAILURES"],
        Wait,
        Fix::Wait,
        "PayPal asks us to slow down. It is tried again in a moment, by itself.",
        DELAYED,
    ),
    row(
        &["PREVIOUS_REQUEST_IN_PROGRESS", "RESOURCE_CONFLICT"],
        Wait,
        Fix::Wait,
        "PayPal is still busy with our last question about this. It is asked again by itself.",
        DELAYED,
    ),
    row(
        &["INTERNAL_ERROR", "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "REQUEST_TIMEOUT_EXCEEDED"],
        RetryLater,
        Fix::PayAgain,
        "Something failed at PayPal itself. Pay it again later.",
        DELAYED,
    ),
    row(
        &["NOT_SENT"],
        RetryLater,
        Fix::PayAgain,
        "It could not be handed to PayPal for 29 days and was taken back. Pay it again.",
        DELAYED,
    ),
    row(&["TAKEN_BACK"], RetryLater, Fix::PayAgain, "Somebody here took it back before PayPal took it.", DELAYED),
];
