//! The HTTP server. Built on hyper itself, since a fault may have to end a connection without any answer.

use super::call::{Call, Name, Route};
use super::calls::Line;
use super::errors::{Problem, debug_id};
use super::faults::{Rule, What};
use super::reply::{Delivery, Reply};
use super::state::State;
use super::{doors, page, play, rest, view};
use hyper::body::Incoming;
use hyper::header::{ALLOW, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Calls in progress get this long to end when the simulator stops.
const GRACE: Duration = Duration::from_secs(2);

/// Serves until told to stop, then lets calls in progress end.
pub async fn serve(listener: TcpListener, address: SocketAddr, state: Arc<State>, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("The simulator could not accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        connections.spawn(connection(stream, address, Arc::clone(&state), stop.clone()));
    }
    drop(listener);
    connections.close();
    // Whoever does not end in time is cut off when the runtime ends.
    let _in_time = tokio::time::timeout(GRACE, connections.wait()).await;
}

async fn connection(stream: TcpStream, address: SocketAddr, state: Arc<State>, stop: CancellationToken) {
    let cut = Arc::new(AtomicBool::new(false));
    let service = {
        let cut = Arc::clone(&cut);
        service_fn(move |request| {
            let (state, cut) = (Arc::clone(&state), Arc::clone(&cut));
            Box::pin(async move {
                // On its own task: a caller that hangs up does not stop what PayPal has begun.
                let answer = tokio::spawn(exchange(request, address, state)).await.map_err(io::Error::other)??;
                answer.response().ok_or_else(|| {
                    cut.store(true, Ordering::Relaxed);
                    io::Error::other("cut by a fault rule")
                })
            })
        })
    };
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let served = tokio::select! {
        served = poll_fn(|context| connection.poll_without_shutdown(context)) => Some(served),
        () = stop.cancelled() => None,
    };
    let served = match served {
        Some(served) => served,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    if let Err(error) = served {
        tracing::debug!("A connection to the simulator ended: {error}");
    }
    let stream = connection.into_parts().io.into_inner();
    if cut.load(Ordering::Relaxed)
        && let Err(error) = stream.set_zero_linger()
    {
        tracing::warn!("A connection could not be reset, it is only closed: {error}");
    }
}

async fn exchange(request: Request<Incoming>, address: SocketAddr, state: Arc<State>) -> io::Result<Delivery> {
    let call = Call::read(request, address).await.map_err(io::Error::other)?;
    let reply = match call.route() {
        Route::Api(name, id) => return Ok(api(&state, &call, name, &id).await),
        Route::Door(_) if call.too_long => Problem::too_large().reply(),
        Route::Door(door) if door.is_empty() => page::answer(&state, &call),
        Route::Door(door) if door == "play" => play::answer(&state, &call),
        Route::Door(door) => doors::answer(&state, &call, &door),
        Route::Home => page::answer(&state, &call),
        Route::Method(allowed) => Problem::method().reply().header(ALLOW, allowed),
        Route::Unknown => Problem::unknown_path().reply(),
    };
    Ok(Delivery::Whole(reply))
}

/// Answers one of PayPal's calls, as the rule that strikes it says.
async fn api(state: &State, call: &Call, name: Name, id: &str) -> Delivery {
    let (rule, time) = {
        let (mut inner, now) = state.lock();
        (inner.faults.strike(name), view::time(now))
    };
    let delivery = match &rule {
        None => Delivery::Whole(rest::answer(state, call, name, id, None)),
        Some(rule) => strike(state, call, name, id, rule).await,
    };
    let status = match &delivery {
        Delivery::Whole(reply) | Delivery::Half(reply) | Delivery::Slow(reply, _) => Some(reply.status.as_u16()),
        Delivery::Cut => None,
    };
    let fault = rule.map(|rule| rule.what);
    state.lock().0.calls.note(Line { time, call: name, path: call.path.clone(), status, fault });
    delivery
}

async fn strike(state: &State, call: &Call, name: Name, id: &str, rule: &Rule) -> Delivery {
    let carry_out = || rest::answer(state, call, name, id, Some(rule));
    let time = Duration::from_millis(rule.ms.unwrap_or_default());
    let success = if name == Name::Create { StatusCode::CREATED } else { StatusCode::OK };
    Delivery::Whole(match rule.what {
        What::Delay => {
            let reply = carry_out();
            tokio::time::sleep(time).await;
            reply
        }
        What::DelayBefore => {
            tokio::time::sleep(time).await;
            carry_out()
        }
        What::Status => status(rule),
        What::StatusAfter => {
            carry_out();
            status(rule)
        }
        What::CutBefore => return Delivery::Cut,
        What::CutAfter => {
            carry_out();
            return Delivery::Cut;
        }
        What::CutBody => return Delivery::Half(carry_out()),
        What::Garbage => html(carry_out().status),
        What::GarbageBefore => html(success),
        What::BrokenJson => broken(carry_out()),
        What::BrokenJsonBefore => broken(Reply::json(success, &json!({"batch_header": {"batch_status": "PENDING"}}))),
        What::Empty => Reply::json(carry_out().status, &json!({})),
        What::EmptyBefore => Reply::json(success, &json!({})),
        What::SlowBody => return Delivery::Slow(carry_out(), time),
        What::RateLimit => {
            let message = "Too many requests. Blocked due to rate limiting.";
            retry_after(Problem::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_REACHED", message).reply(), rule)
        }
        What::ExpireTokens => {
            state.lock().0.tokens.expire();
            carry_out()
        }
        What::EventsFirst => {
            let reply = carry_out();
            for _ in 0..1000 {
                if state.is_caught_up() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            reply
        }
        What::DuplicateWithoutLink | What::Denied | What::SettleAfter => carry_out(),
        // These strike deliveries, and the DropZone.
        What::Duplicate
        | What::Shuffle
        | What::Lose
        | What::ForgeSignature
        | What::ForgeHost
        | What::ForgeCertificate
        | What::ForgeBody
        | What::ForgeWebhook
        | What::Dropzone(_) => carry_out(),
    })
}

/// The answer of a rule that names a status.
fn status(rule: &Rule) -> Reply {
    let status = rule.status_code();
    let reply = match &rule.body {
        Some(Value::String(text)) => Reply::html(status, text.clone()),
        Some(body) => Reply::json(status, body),
        None => {
            let name = rule.name.clone().unwrap_or_else(|| usual_name(status).to_owned());
            Problem::new(status, name, "An error was asked for by a fault rule.").reply()
        }
    };
    retry_after(reply, rule)
}

/// PayPal's usual name for a status.
fn usual_name(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "INVALID_REQUEST",
        401 => "AUTHENTICATION_FAILURE",
        403 => "NOT_AUTHORIZED",
        404 => "RESOURCE_NOT_FOUND",
        409 => "PREVIOUS_REQUEST_IN_PROGRESS",
        415 => "UNSUPPORTED_MEDIA_TYPE",
        422 => "UNPROCESSABLE_ENTITY",
        429 => "RATE_LIMIT_REACHED",
        503 => "SERVICE_UNAVAILABLE",
        504 => "REQUEST_TIMEOUT_EXCEEDED",
        _ => "INTERNAL_SERVER_ERROR",
    }
}

fn retry_after(reply: Reply, rule: &Rule) -> Reply {
    match rule.retry_after {
        Some(seconds) => reply.header(RETRY_AFTER, &seconds.to_string()),
        None => reply,
    }
}

fn html(status: StatusCode) -> Reply {
    Reply::html(status, format!("<html><body><h1>We'll be back soon</h1><p>{}</p></body></html>", debug_id()))
}

/// Leaves out the end of a JSON body, and says it is whole.
fn broken(mut reply: Reply) -> Reply {
    reply.body = reply.body.slice(..reply.body.len() * 2 / 3);
    reply
}
