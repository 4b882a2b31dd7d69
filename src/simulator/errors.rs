//! PayPal's refusals: one envelope for all of them, and another one for the token call.

use super::reply::Reply;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::borrow::Cow;

const INFORMATION: &str = "https://developer.paypal.com/docs/api/payments.payouts-batch/v1/#errors";

/// A refusal in the making.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    name: Cow<'static, str>,
    message: Cow<'static, str>,
    details: Vec<Value>,
}

impl Problem {
    /// A refusal with a name and a sentence.
    pub fn new(
        status: StatusCode,
        name: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Problem {
        Problem { status, name: name.into(), message: message.into(), details: Vec::new() }
    }

    /// The same refusal with its `details`.
    pub fn with(mut self, details: Vec<Value>) -> Problem {
        self.details = details;
        self
    }

    /// The request's content is refused; each detail names a field.
    pub fn validation(details: Vec<Value>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", "Invalid request - see details").with(details)
    }

    /// The body cannot be read at all.
    pub fn malformed(why: &str) -> Problem {
        let message = "Request is not well-formed, syntactically incorrect, or violates schema.";
        let detail = json!({"field": "/", "location": "body", "issue": "MALFORMED_REQUEST_JSON", "description": why});
        Problem::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message).with(vec![detail])
    }

    /// No token, or one that is unknown or too old.
    pub fn unauthenticated(why: &str) -> Problem {
        let message =
            "Authentication failed due to missing authorization header, or invalid authentication credentials.";
        let detail = json!({"issue": "INVALID_TOKEN", "description": why});
        Problem::new(StatusCode::UNAUTHORIZED, "AUTHENTICATION_FAILURE", message).with(vec![detail])
    }

    /// The token lacks the scope.
    pub fn not_authorized() -> Problem {
        let message = "Authorization failed due to insufficient permissions.";
        Problem::new(StatusCode::FORBIDDEN, "NOT_AUTHORIZED", message)
    }

    /// An id that this account has never been given.
    pub fn unknown_resource() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "INVALID_RESOURCE_ID", "Requested resource ID was not found.")
    }

    /// A path that PayPal does not serve.
    pub fn unknown_path() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", "The specified resource does not exist.")
    }

    /// A path that PayPal serves by another method.
    pub fn method() -> Problem {
        let message = "The server does not implement the requested HTTP method.";
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_SUPPORTED", message)
    }

    /// A body that is not announced as JSON.
    pub fn media_type() -> Problem {
        let message = "The server does not support the request payload's media type.";
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message)
    }

    /// A body beyond what the simulator reads.
    pub fn too_large() -> Problem {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "REQUEST_ENTITY_TOO_LARGE", "The request body is too large.")
    }

    /// Something broke on this side.
    pub fn internal() -> Problem {
        let message = "An internal server error occurred.";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", message)
    }

    /// The answer as it goes over the wire.
    pub fn reply(self) -> Reply {
        let debug_id = debug_id();
        let mut body = json!({
            "name": self.name,
            "message": self.message,
            "debug_id": debug_id,
            "information_link": INFORMATION,
            "links": [],
        });
        if !self.details.is_empty() {
            body["details"] = Value::Array(self.details);
        }
        Reply::json(self.status, &body).debug_id(&debug_id)
    }
}

/// The `errors` object of an item: the same envelope without a status.
pub fn item_error(name: &str) -> Value {
    json!({
        "name": name,
        "message": message(name),
        "debug_id": "0",
        "information_link": INFORMATION,
        "details": [],
        "links": [],
    })
}

/// A correlation id of PayPal's size, new for every answer.
pub fn debug_id() -> String {
    let mut id = uuid::Uuid::new_v4().simple().to_string();
    id.truncate(13);
    id
}

/// A sentence for the names that an item can carry. The names are PayPal's; nobody may depend on the sentences.
pub fn message(name: &str) -> &'static str {
    match name {
        "RECEIVER_UNREGISTERED" => "Receiver is unregistered",
        "RECEIVER_UNCONFIRMED" => "Receiver's email or phone number is unconfirmed",
        "RECEIVER_ACCOUNT_LOCKED" => "Receiver account is inactive or locked",
        "RECEIVER_ACCOUNT_LIMITATION" => "Receiver account is limited",
        "RECEIVER_ACCOUNT_INVALID" => "Receiver account is invalid",
        "ACCOUNT_RESTRICTED" => "User is restricted",
        "INVALID_EMAIL_ID" => "The receiver's address is no e-mail address",
        "SELF_PAY_NOT_ALLOWED" => "The sender cannot pay itself",
        "INSUFFICIENT_FUNDS" => "Sender does not have sufficient funds. Please add funds and retry.",
        "DUPLICATE_ITEM" => "Another item of this batch has the same sender_item_id",
        "REGULATORY_PENDING" => "The payment is being reviewed",
        "REGULATORY_BLOCKED" => "The payment was blocked by a review",
        _ => "The payment could not be completed",
    }
}
