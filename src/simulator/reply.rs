//! What is sent back, and how much of it arrives.

use super::errors::debug_id;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::Frame;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::Value;
use std::io;
use std::time::Duration;

/// How many pieces a slow body arrives in.
const SLOW_PIECES: usize = 10;

/// An answer, not yet on the wire.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
    content_type: &'static str,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// How an answer is delivered.
#[derive(Debug)]
pub enum Delivery {
    /// As it should be.
    Whole(Reply),
    /// The announced length is never reached: the connection ends in the middle of the body.
    Half(Reply),
    /// The body dribbles in over this time.
    Slow(Reply, Duration),
    /// Nothing at all: the connection is reset.
    Cut,
}

/// The body type that the server hands to hyper.
pub type Body = BoxBody<Bytes, io::Error>;

impl Reply {
    /// A JSON answer.
    pub fn json(status: StatusCode, body: &Value) -> Reply {
        Reply { status, body: Bytes::from(body.to_string()), content_type: "application/json", headers: Vec::new() }
    }

    /// An HTML answer.
    pub fn html(status: StatusCode, body: String) -> Reply {
        Reply { status, body: body.into(), content_type: "text/html; charset=utf-8", headers: Vec::new() }
    }

    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Reply {
        Reply { status, body: Bytes::new(), content_type: "application/json", headers: Vec::new() }
    }

    /// A certificate.
    pub fn pem(text: String) -> Reply {
        Reply { status: StatusCode::OK, body: text.into(), content_type: "application/x-pem-file", headers: Vec::new() }
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName, value: &str) -> Reply {
        let value = HeaderValue::from_str(value).expect("the simulator's own headers are plain ASCII");
        self.headers.push((name, value));
        self
    }

    /// Sets the correlation id that the body repeats.
    pub fn debug_id(self, id: &str) -> Reply {
        self.header(HeaderName::from_static("paypal-debug-id"), id)
    }

    fn response(self, body: Body) -> Response<Body> {
        let length = self.body.len();
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert("paypal-debug-id", HeaderValue::from_str(&debug_id()).expect("hexadecimal digits"));
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response
    }
}

impl Delivery {
    /// The response for hyper, or `None` to reset the connection.
    pub fn response(self) -> Option<Response<Body>> {
        match self {
            Delivery::Whole(reply) => {
                let body = Full::new(reply.body.clone()).map_err(io::Error::other).boxed();
                Some(reply.response(body))
            }
            Delivery::Half(reply) => {
                let half = reply.body.slice(..reply.body.len() / 2);
                let frames = stream::iter([Ok(Frame::data(half)), Err(io::Error::other("cut by a fault rule"))]);
                // The first half is given time to be flushed before the error ends the connection.
                let frames = frames.then(|frame| async {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    frame
                });
                Some(reply.response(BodyExt::boxed(StreamBody::new(Box::pin(frames)))))
            }
            Delivery::Slow(reply, time) => {
                let size = reply.body.len().div_ceil(SLOW_PIECES).max(1);
                let pieces: Vec<Bytes> = reply.body.chunks(size).map(Bytes::copy_from_slice).collect();
                let pause = time / u32::try_from(SLOW_PIECES).expect("a small constant");
                let frames = stream::iter(pieces).then(move |piece| async move {
                    tokio::time::sleep(pause).await;
                    Ok(Frame::data(piece))
                });
                Some(reply.response(BodyExt::boxed(StreamBody::new(Box::pin(frames)))))
            }
            Delivery::Cut => None,
        }
    }
}
