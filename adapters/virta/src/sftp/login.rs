//! Who we are, which server it must be, and an open session.

use crate::settings::SftpSettings;
use russh::client::{self, Handle};
use russh::keys::ssh_key::Fingerprint;
use russh::keys::{Algorithm, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{ChannelMsg, Disconnect, Preferred};
use russh_sftp::client::RawSftpSession;
use secrecy::ExposeSecret;
use silta_adapter::adapter::BadSettings;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// How a server is reached and proves itself, and how we do.
pub(super) struct Login {
    address: (String, u16),
    user: String,
    key: Arc<PrivateKey>,
    pins: Arc<[Pin]>,
    config: Arc<client::Config>,
    timeout: Duration,
}

/// An open session.
pub(super) struct Session {
    /// SFTP on it.
    pub(super) sftp: RawSftpSession,
    ssh: Handle<Gatekeeper>,
}

impl Session {
    /// Says goodbye.
    pub(super) async fn end(self) {
        let _ = self.ssh.disconnect(Disconnect::ByApplication, "", "en").await;
    }
}

impl Login {
    /// Reads the keys that the settings name.
    pub(super) fn new(settings: &SftpSettings) -> Result<Self, BadSettings> {
        let bad = |reason: &str| BadSettings(format!("sftp: {reason}"));
        let text = std::fs::read_to_string(&settings.key_file)
            .map_err(|e| bad(&format!("key_file cannot be read: {}", e.kind())))?;
        let passphrase = settings.passphrase()?;
        let key = russh::keys::decode_secret_key(&text, passphrase.as_ref().map(ExposeSecret::expose_secret))
            .map_err(|_| bad("key_file is not an OpenSSH private key, or its passphrase is another one"))?;
        if key.algorithm().is_rsa() {
            return Err(bad("key_file holds an RSA key; use an Ed25519 or ECDSA key"));
        }
        let pins = pins(&settings.host_key).ok_or_else(|| {
            bad("host_key must be fingerprints (SHA256:…) or lines of known_hosts with Ed25519 or ECDSA keys")
        })?;
        let timeout = Duration::from_secs(settings.timeout_secs);
        let config = client::Config {
            keepalive_interval: Some(timeout.div_f64(2.0)),
            keepalive_max: 1,
            inactivity_timeout: Some(timeout * 2),
            nodelay: true,
            preferred: preferred(&pins),
            ..client::Config::default()
        };
        Ok(Self {
            address: (settings.host.clone(), settings.port),
            user: settings.user.clone(),
            key: Arc::new(key),
            pins: pins.into(),
            config: Arc::new(config),
            timeout,
        })
    }

    /// Opens a session with the server that holds a pinned key, and with no other.
    ///
    /// # Errors
    /// The cause why there is none.
    pub(super) async fn open(&self) -> Result<Session, &'static str> {
        match tokio::time::timeout(self.timeout, self.connect()).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(cause)) => Err(cause),
            Err(_) => Err("sftp:connect"),
        }
    }

    async fn connect(&self) -> Result<Session, &'static str> {
        let gatekeeper = Gatekeeper { pins: self.pins.clone() };
        let address = (self.address.0.as_str(), self.address.1);
        let mut ssh = client::connect(self.config.clone(), address, gatekeeper).await.map_err(cause)?;
        let key = PrivateKeyWithHashAlg::new(self.key.clone(), None);
        let answer = ssh.authenticate_publickey(self.user.clone(), key).await.map_err(cause)?;
        if !answer.success() {
            return Err("sftp:auth");
        }
        let mut channel = ssh.channel_open_session().await.map_err(|_| "sftp:no-subsystem")?;
        channel.request_subsystem(true, "sftp").await.map_err(cause)?;
        loop {
            match channel.wait().await {
                Some(ChannelMsg::Success) => break,
                Some(ChannelMsg::Failure) => return Err("sftp:no-subsystem"),
                Some(_) => {}
                None => return Err("sftp:connect"),
            }
        }
        let sftp = RawSftpSession::new(channel.into_stream());
        sftp.set_timeout(self.timeout.as_secs());
        sftp.init().await.map_err(|_| "sftp:no-subsystem")?;
        Ok(Session { sftp, ssh })
    }
}

/// Why there is no session. The error itself may name the address or the user and is not repeated.
fn cause(error: russh::Error) -> &'static str {
    match error {
        russh::Error::UnknownKey | russh::Error::WrongServerSig => "sftp:host-key",
        russh::Error::NoCommonAlgo { .. } => "sftp:no-common-algorithm",
        russh::Error::NoAuthMethod | russh::Error::UnsupportedAuthMethod => "sftp:auth",
        _ => "sftp:connect",
    }
}

/// A host key that the server must show.
#[derive(Debug, Clone)]
enum Pin {
    Fingerprint(Fingerprint),
    Key(Box<PublicKey>),
}

impl Pin {
    fn is(&self, key: &PublicKey) -> bool {
        match self {
            Self::Fingerprint(pin) => key.fingerprint(HashAlg::Sha256) == *pin,
            Self::Key(pin) => pin.key_data() == key.key_data(),
        }
    }
}

/// The pins of a setting, one per line: a fingerprint, a public key, or a line of `known_hosts`. None if there is
/// none, or one of them is something else.
fn pins(text: &str) -> Option<Vec<Pin>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pins: Vec<Pin> = lines.map(pin).collect::<Option<_>>()?;
    Some(pins).filter(|pins| !pins.is_empty())
}

fn pin(line: &str) -> Option<Pin> {
    if line.starts_with("SHA256:") {
        return Fingerprint::from_str(line).ok().map(Pin::Fingerprint);
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let key = |words: &[&str]| PublicKey::from_openssh(words.get(..2)?.join(" ").as_str()).ok();
    let key = key(&words).or_else(|| key(words.get(1..)?))?;
    let marked = line.starts_with('@');
    (!marked && !key.algorithm().is_rsa()).then(|| Pin::Key(Box::new(key)))
}

/// A server shows one of its keys: the one of the kind that the client likes best. Where the pins say the kind, only
/// that is asked for.
fn preferred(pins: &[Pin]) -> Preferred {
    let kinds: Option<Vec<Algorithm>> = pins
        .iter()
        .map(|pin| match pin {
            Pin::Key(key) => Some(key.algorithm()),
            Pin::Fingerprint(_) => None,
        })
        .collect();
    match kinds {
        Some(kinds) => Preferred { key: kinds.into(), ..Preferred::default() },
        None => Preferred::default(),
    }
}

/// Lets through only servers with a pinned key.
struct Gatekeeper {
    pins: Arc<[Pin]>,
}

impl client::Handler for Gatekeeper {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.pins.iter().any(|pin| pin.is(key)),
            PublicKeyOrCertificate::Certificate(_) => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn a_pin_is_a_fingerprint_a_key_or_a_line_of_known_hosts() {
        let key = PublicKey::from_openssh(KEY).expect("a key");
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        for text in [KEY, &format!("sftp.example.org {KEY}"), &format!("|1|c2FsdA==|aGFzaA== {KEY} note"), &fingerprint]
        {
            let pins = pins(&format!("# the server\n\n{text}\n")).expect("a pin");
            assert!(pins.len() == 1 && pins[0].is(&key), "{text}");
        }
        for text in
            ["", "# none", "SHA256:short", "MD5:00:11", "host", &format!("@revoked host {KEY}"), "ssh-ed25519 AA"]
        {
            assert!(pins(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_kind_of_the_pinned_key_is_asked_for() {
        assert_eq!(preferred(&pins(KEY).expect("a pin")).key.as_ref(), [Algorithm::Ed25519]);
    }
}
