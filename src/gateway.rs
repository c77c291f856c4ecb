//! The gateway put together: the ledger, the vault, the adapters and the open connections that all rooms share.

use crate::config::{self, BadConfig, Config};
use crate::env::{Clock, Rng};
use crate::ledger::{DebtTarget, LaneBy, Ledger, LedgerError, Micros};
use crate::sealing;
use crate::vault::Vault;
use governor::{DefaultDirectRateLimiter, Quota};
use silta_adapter::adapter::{Adapter, Connected, Effect, Encode, EncodeContext, Grouping, Registry};
use silta_adapter::mapping::Mappings;
use silta_seal::Sealer;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, mpsc};

/// How long a process may be silent at most before another takes over its duty.
const DUTY: Duration = Duration::from_secs(30);

/// Everything the rooms share.
pub struct Gateway {
    /// The configuration.
    pub config: Config,
    /// What is known.
    pub ledger: Arc<dyn Ledger>,
    /// Seals personal data.
    pub vault: Arc<Vault>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives randomness.
    pub rng: Rng,
    /// The adapters.
    pub registry: Registry,
    /// Code lists and crosswalks.
    pub mappings: Arc<Mappings>,
    /// The open connections.
    pub connections: Vec<Arc<Connection>>,
    /// Names this process among others on the same store.
    node: String,
}

/// Rung when something may be owed by a connection: here, and in other processes on the store.
#[derive(Debug, Default)]
pub struct Bell {
    name: SmolStr,
    here: Notify,
    elsewhere: OnceLock<mpsc::UnboundedSender<SmolStr>>,
}

impl Bell {
    /// Wakes everybody who waits for it.
    pub fn notify_waiters(&self) {
        self.here();
        if let Some(elsewhere) = self.elsewhere.get() {
            // Where nobody tells it any more, the process is ending.
            let _ = elsewhere.send(self.name.clone());
        }
    }

    /// Waits for it.
    pub fn notified(&self) -> Notified<'_> {
        self.here.notified()
    }

    /// Wakes those in this process.
    pub fn here(&self) {
        self.here.notify_waiters();
    }

    /// Has rings told elsewhere too.
    pub fn also(&self, elsewhere: mpsc::UnboundedSender<SmolStr>) {
        // A second telling would be no better than the first.
        let _ = self.elsewhere.set(elsewhere);
    }
}

/// An open connection.
pub struct Connection {
    /// How it is configured.
    pub config: config::Connection,
    /// The adapter it uses.
    pub adapter: Arc<dyn Adapter>,
    /// What it can do.
    pub connected: Connected,
    /// What documents are sealed with before they are sent, if they are.
    pub sealer: Option<Sealer>,
    /// Rung when something may be owed.
    pub bell: Bell,
    /// Held while its store is read back and compared, so that this happens once at a time.
    pub reconciling: tokio::sync::Mutex<()>,
    limiter: Option<DefaultDirectRateLimiter>,
}

impl Connection {
    /// Waits for this connection's turn under its rate limit.
    pub async fn paced(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.until_ready().await;
        }
    }

    /// True if what is sent is one load of everything, in which absence means deletion.
    pub fn replaces_all(&self) -> bool {
        self.adapter.descriptor().effect == Effect::ReplaceAll
    }

    /// True if it is a source whose feeds are pulled.
    pub fn pulls(&self) -> bool {
        self.connected.pull.is_some() && self.config.pull_every_secs > 0
    }

    /// True if it is a register of identities that is asked.
    pub fn identifies(&self) -> bool {
        self.connected.people.is_some() && self.config.pull_every_secs > 0
    }

    /// True if it is no destination at all.
    fn only_source(&self) -> bool {
        (self.connected.pull.is_some() || self.connected.people.is_some()) && self.connected.deliver.is_none()
    }

    /// True if what the destination holds can be read.
    pub fn readback(&self) -> bool {
        self.connected.inventory.is_some()
    }

    /// The connection as the ledger marks debts for it.
    pub fn target(&self) -> DebtTarget {
        let lane = if self.replaces_all() { LaneBy::Tenant } else { LaneBy::Learner };
        DebtTarget { connection: self.config.name.clone(), lane, composed: self.composes() }
    }

    /// True if its items are composed from all records of a learner.
    pub fn composes(&self) -> bool {
        self.adapter.descriptor().grouping == Grouping::Learner
    }

    /// The adapter's encoder.
    ///
    /// # Errors
    /// If the adapter does not write; connections are only opened for those that do.
    pub fn encoder(&self) -> Result<&dyn Encode, BadConfig> {
        self.adapter
            .encoder()
            .ok_or_else(|| BadConfig::Meaning(format!("connection {}: the adapter does not write", self.config.name)))
    }
}

/// What a gateway is made of besides its configuration.
pub struct Parts {
    /// What is known.
    pub ledger: Arc<dyn Ledger>,
    /// Seals personal data.
    pub vault: Arc<Vault>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives randomness.
    pub rng: Rng,
    /// The adapters.
    pub registry: Registry,
    /// Code lists and crosswalks.
    pub mappings: Arc<Mappings>,
}

impl Gateway {
    /// Opens all connections of a configuration.
    ///
    /// # Errors
    /// If a connection names an adapter that does not exist or cannot deliver, or its settings are not usable.
    pub fn new(config: Config, parts: Parts) -> Result<Self, BadConfig> {
        let seals = seals(&config, &parts.mappings)?;
        let connections = config
            .connection
            .iter()
            .map(|connection| open(connection, &parts.registry, &seals).map(Arc::new))
            .collect::<Result<_, _>>()?;
        let Parts { ledger, vault, clock, rng, registry, mappings } = parts;
        let node = rng.bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { config, ledger, vault, clock, rng, registry, mappings, connections, node })
    }

    /// The open connection of this name.
    pub fn connection(&self, name: &str) -> Option<&Arc<Connection>> {
        self.connections.iter().find(|c| c.config.name == name)
    }

    /// The debt targets of a tenant's connections.
    pub fn targets(&self, tenant: &str) -> Vec<DebtTarget> {
        let owed = |c: &&Arc<Connection>| c.config.tenant == tenant && !c.only_source();
        self.connections.iter().filter(owed).map(|c| c.target()).collect()
    }

    /// Wakes the connections of a tenant.
    pub fn ring(&self, tenant: &str) {
        self.connections.iter().filter(|c| c.config.tenant == tenant).for_each(|c| c.bell.notify_waiters());
    }

    /// What encoding may look at besides the item. Instants do not alter what is compared.
    pub fn encode_context(&self, generation: i64) -> EncodeContext<'_> {
        EncodeContext {
            mappings: &self.mappings,
            generation: u64::try_from(generation).unwrap_or(0),
            instant: jiff::Timestamp::from_microsecond(self.clock.now()).unwrap_or_default(),
        }
    }

    /// Does what one process at a time may do. `None` if another has the duty, or took it over because this one was
    /// silent for too long; what was begun is given up then.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn on_duty<T>(&self, duty: &str, work: impl Future<Output = T>) -> Result<Option<T>, LedgerError> {
        if !self.hold(duty).await? {
            return Ok(None);
        }
        let taken_over = async {
            loop {
                tokio::time::sleep(self.silence() / 3).await;
                // A store that is away for a moment takes no duty away: another process would have to ask it first.
                if let Ok(false) = self.hold(duty).await {
                    return;
                }
            }
        };
        tokio::select! {
            done = work => {
                self.ledger.release(duty, &self.node).await?;
                Ok(Some(done))
            }
            () = taken_over => Ok(None),
        }
    }

    /// [`Gateway::on_duty`], for loops: what goes wrong is told here, and looked at again with the next round. `None` if
    /// nothing was done.
    pub async fn in_turn<T, E>(&self, duty: &str, work: impl Future<Output = Result<T, E>>) -> Option<T>
    where
        E: std::fmt::Display,
    {
        match self.on_duty(duty, work).await {
            Ok(done) => done.transpose().unwrap_or_else(|error| {
                tracing::error!(duty, %error, "a duty failed");
                None
            }),
            Err(error) => {
                tracing::error!(duty, %error, "a duty was not taken or given back");
                None
            }
        }
    }

    async fn hold(&self, duty: &str) -> Result<bool, LedgerError> {
        let now = self.now();
        self.ledger.hold(duty, &self.node, now, now + self.silence().as_micros() as Micros).await
    }

    /// How long a process may be silent before another takes over its duty: no longer than what it was sending is its own,
    /// so that whoever takes back leases of dead processes is not awaited longer than they are.
    fn silence(&self) -> Duration {
        DUTY.min(Duration::from_secs(self.config.delivery.lease_secs.max(1)))
    }

    /// The time.
    pub fn now(&self) -> Micros {
        self.clock.now()
    }
}

/// Opens the seals that connections use.
fn seals(config: &Config, mappings: &Arc<Mappings>) -> Result<BTreeMap<SmolStr, Sealer>, BadConfig> {
    let used = |name: &SmolStr| config.connection.iter().any(|connection| connection.seal.as_ref() == Some(name));
    let opened = config.seal.iter().filter(|(name, _)| used(name)).map(|(name, seal)| {
        let opened = sealing::open(seal, mappings.clone());
        let opened = opened.map_err(|e| BadConfig::Meaning(format!("seal {name}: {e}")))?;
        opened.warnings.iter().for_each(|warning| tracing::warn!(seal = %name, "{warning}"));
        Ok((name.clone(), opened.sealer))
    });
    opened.collect()
}

fn open(
    connection: &config::Connection,
    registry: &Registry,
    seals: &BTreeMap<SmolStr, Sealer>,
) -> Result<Connection, BadConfig> {
    let bad = |reason: String| BadConfig::Meaning(format!("connection {}: {reason}", connection.name));
    let adapter = registry
        .get(&connection.adapter)
        .ok_or_else(|| bad(format!("there is no adapter {}", connection.adapter)))?
        .clone();
    let settings = serde_json::to_value(&connection.settings).map_err(|e| bad(e.to_string()))?;
    let connected = adapter.connect(&settings).map_err(|e| bad(e.to_string()))?;
    let asks = connected.people.is_some();
    let carries = connected.deliver.is_some() || connected.inventory.is_some() || connected.pull.is_some();
    if !carries && !asks {
        return Err(bad("its settings neither deliver nor read anything".into()));
    }
    if connection.pull_every_secs > 0 && connected.pull.is_none() && !asks {
        return Err(bad("it is to be pulled from, but there is nothing to pull with its settings".into()));
    }
    let destination = connected.deliver.is_some() || connected.inventory.is_some();
    if (destination && adapter.encoder().is_none()) || (carries && adapter.decoder().is_none()) {
        return Err(bad(format!("the adapter {} cannot both write and read back", connection.adapter)));
    }
    let limiter =
        NonZeroU32::new(connection.rate_per_sec).map(|rate| DefaultDirectRateLimiter::direct(Quota::per_second(rate)));
    Ok(Connection {
        config: connection.clone(),
        adapter,
        connected,
        sealer: connection.seal.as_ref().and_then(|seal| seals.get(seal)).cloned(),
        bell: Bell { name: connection.name.clone(), ..Bell::default() },
        reconciling: Default::default(),
        limiter,
    })
}
