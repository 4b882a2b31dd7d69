//! The SSH server around the folders: who may come in, and that they get the file transfer and nothing else.

use super::Zone;
use super::faults::{Step, Struck, Wrong};
use super::sftp::Session as Transfer;
use crate::simulator::state::State;
use russh::keys::PublicKey;
use russh::server::{self, Auth, ChannelOpenHandle, Config, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, MethodKind, MethodSet, SshId};
use std::collections::HashMap;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections get this long to end when the simulator stops.
const GRACE: Duration = Duration::from_secs(2);
/// The largest SFTP packet that is taken, as at OpenSSH.
const LONGEST_PACKET: u32 = 256 * 1024;

/// Serves until told to stop, and cuts whoever is connected then.
pub async fn serve(listener: TcpListener, state: Arc<State>, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("The simulated DropZone could not accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        connections.spawn(connection(stream, Arc::clone(&state), stop.clone()));
    }
    drop(listener);
    connections.close();
    let _in_time = tokio::time::timeout(GRACE, connections.wait()).await;
}

async fn connection(stream: TcpStream, state: Arc<State>, stop: CancellationToken) {
    let Some(zone) = &state.dropzone else { return };
    let struck = Struck::at(&mut state.lock().0.faults, Step::Connect);
    if struck.has(Wrong::Refuse) {
        if let Err(error) = stream.set_zero_linger() {
            tracing::warn!("A connection could not be reset, it is only closed: {error}");
        }
        return;
    }
    let (stream, wire) = match Wire::of(stream) {
        Ok(both) => both,
        Err(error) => return tracing::warn!("The simulated DropZone lost a connection: {error}"),
    };
    let visitor = Visitor {
        state: Arc::clone(&state),
        wire: wire.clone(),
        refused: struck.has(Wrong::RefuseKey),
        user: String::new(),
        channels: HashMap::new(),
    };
    let session = async { server::run_stream(config(zone), stream, visitor).await?.await };
    let ended = tokio::select! {
        ended = session => ended,
        () = stop.cancelled() => {
            wire.cut();
            return;
        }
    };
    if let Err(error) = ended {
        tracing::debug!("A connection to the simulated DropZone ended: {error}");
    }
}

fn config(zone: &Zone) -> Arc<Config> {
    Arc::new(Config {
        server_id: SshId::Standard("SSH-2.0-DropZone".into()),
        methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
        // Nobody has to be kept from guessing here.
        auth_rejection_time: Duration::ZERO,
        keys: vec![zone.host_key().0],
        nodelay: true,
        ..Config::default()
    })
}

/// A second hold on a connection, by which a fault rule ends it.
#[derive(Debug, Clone)]
pub struct Wire(Arc<std::net::TcpStream>);

impl Wire {
    fn of(stream: TcpStream) -> std::io::Result<(TcpStream, Wire)> {
        let stream = stream.into_std()?;
        let wire = Wire(Arc::new(stream.try_clone()?));
        Ok((TcpStream::from_std(stream)?, wire))
    }

    /// Ends the connection without a word.
    pub fn cut(&self) {
        if let Err(error) = self.0.shutdown(Shutdown::Both) {
            tracing::debug!("A connection had ended before it was cut: {error}");
        }
    }
}

/// Whoever has connected.
struct Visitor {
    state: Arc<State>,
    wire: Wire,
    /// Whether a fault rule keeps them out.
    refused: bool,
    user: String,
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl Visitor {
    fn judge(&self, user: &str, key: &PublicKey) -> Auth {
        let known = !self.refused && self.state.lock().0.bank.dropzone().knows(user, key);
        if known { Auth::Accept } else { Auth::reject() }
    }
}

impl server::Handler for Visitor {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, russh::Error> {
        Ok(self.judge(user, offer.public_key))
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        user.clone_into(&mut self.user);
        Ok(self.judge(user, key.public_key))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        session.close(channel)
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        match self.channels.remove(&id).filter(|_| name == "sftp") {
            None => session.channel_failure(id),
            Some(channel) => {
                session.channel_success(id)?;
                let transfer = Transfer::new(Arc::clone(&self.state), self.wire.clone(), self.user.clone());
                let config = russh_sftp::server::Config { max_client_packet_len: LONGEST_PACKET };
                russh_sftp::server::run_with_config(channel.into_stream(), transfer, config).await;
                Ok(())
            }
        }
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }

    async fn exec_request(&mut self, id: ChannelId, _: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(id)
    }
}
