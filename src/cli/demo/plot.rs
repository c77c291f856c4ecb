//! What happens in the demo, step by step. How far it came is kept in the ledger.

use super::store::Store;
use super::{Failure, INSTITUTIONS};
use crate::delivery::load::{Ruling, rule};
use crate::exchange::journey;
use crate::gateway::{Connection, Gateway};
use crate::ledger::{DebtState, FindingKind, FindingStatus, Micros};
use crate::reconcile::{self, repair::repair};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The demo's plot.
pub(super) struct Plot<'a> {
    pub(super) gateway: Arc<Gateway>,
    pub(super) store: &'a Store,
    pub(super) address: SocketAddr,
    pub(super) token: String,
}

const PROGRESS: &str = "demo.step";
const STEPS: u32 = 4;

impl Plot<'_> {
    /// Plays from where it came to, to the end.
    pub(super) async fn play(&self) -> Result<(), Failure> {
        let done: u32 = self.gateway.ledger.fact(PROGRESS).await?.and_then(|n| n.parse().ok()).unwrap_or(0);
        if done > 0 {
            say!("Going on after step {done}.");
        }
        for step in done + 1..=STEPS {
            match step {
                1 => self.first_push().await?,
                2 => self.corrections().await?,
                3 => self.damage().await?,
                _ => self.settle().await?,
            }
            self.gateway.ledger.set_fact(PROGRESS, &step.to_string()).await?;
        }
        // Whatever was left open when the demo was killed after its last step.
        if done == STEPS { self.consistent().await } else { Ok(()) }
    }

    async fn first_push(&self) -> Result<(), Failure> {
        say!("1. Four institutions push their records.");
        for institution in &INSTITUTIONS {
            self.push(institution.code, institution.document).await?;
        }
        say!(
            "   The first load of a connection would replace whatever the store holds, so each waits for an operator."
        );
        self.consistent().await
    }

    async fn corrections(&self) -> Result<(), Failure> {
        say!("2. Corrections arrive.");
        for institution in &INSTITUTIONS {
            if let Some(correction) = institution.correction {
                say!("   {}: {}.", institution.name, institution.happens);
                self.push(institution.code, correction).await?;
            }
        }
        self.consistent().await
    }

    async fn damage(&self) -> Result<(), Failure> {
        say!(
            "3. The store misbehaves: it changes one row silently, loses another, and answers one call in four with 503."
        );
        let started = self.gateway.now();
        self.store.harm(&json!({ "alter_rows": 1, "lose_rows": 1, "unavailable": 0.25 })).await?;
        while !self.store.harmed().await? {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        loop {
            self.reconcile_all().await?;
            if self.tell_findings(started).await? > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.consistent().await
    }

    async fn settle(&self) -> Result<(), Failure> {
        say!("4. The store is well again; everything is read back once more.");
        self.store.harm(&json!({ "unavailable": 0.0 })).await?;
        self.reconcile_all().await?;
        self.consistent().await
    }

    async fn push(&self, tenant: &str, (document, media_type): (&str, &str)) -> Result<(), Failure> {
        let answer = reqwest::Client::new()
            .post(format!("http://{}/v1/tenants/{tenant}/records?source=sis", self.address))
            .bearer_auth(&self.token)
            .header("content-type", media_type)
            .body(document.to_owned())
            .send()
            .await?;
        let receipt: Value = super::super::client::answer(answer).await?;
        let counts: Vec<String> =
            receipt["counts"].as_object().into_iter().flatten().map(|(outcome, n)| format!("{n} {outcome}")).collect();
        say!("   {tenant}: {}", counts.join(", "));
        for problem in receipt["problems"].as_array().into_iter().flatten() {
            say!("      told the sender: {}", problem["message"].as_str().unwrap_or_default());
        }
        Ok(())
    }

    async fn reconcile_all(&self) -> Result<(), Failure> {
        for connection in &self.gateway.connections {
            reconcile::run::run(&self.gateway, connection).await?;
        }
        Ok(())
    }

    /// Tells what was seen since a time, whether it is mended already or not. Returns how much.
    async fn tell_findings(&self, since: Micros) -> Result<usize, Failure> {
        let mut told = 0;
        for finding in self.gateway.ledger.findings(None, true, 0, 1000).await? {
            if finding.kind == FindingKind::Settling || finding.seen < since {
                continue;
            }
            told += 1;
            let step = journey::finding(&self.gateway, finding);
            let evidence = step.evidence.ok_or("evidence cannot be opened")?;
            say!("   found at {}: {} — {}", step.connection, step.kind.name(), evidence.proposal);
            for field in evidence.fields {
                let show = |v: Option<Value>| v.map_or_else(|| "nothing".to_owned(), |v| v.to_string());
                say!("      {}: sent {}, there {}", field.path, show(field.left), show(field.right));
            }
        }
        Ok(told)
    }

    /// Waits until every connection holds what it is owed. As the operator would, it releases held loads and repairs
    /// what survived a repair: a store that was harmed again, after the demo was killed, may have lost the same again.
    async fn consistent(&self) -> Result<(), Failure> {
        loop {
            let mut settled = true;
            for connection in &self.gateway.connections {
                settled &= self.connection_settled(connection).await?;
            }
            if settled {
                say!("   consistent.");
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn connection_settled(&self, connection: &Connection) -> Result<bool, Failure> {
        let name = &connection.config.name;
        for load in self.gateway.ledger.loads(Some(name), true, 10).await? {
            say!("   held at {name}: {}. Released.", load.reason);
            rule(&self.gateway, load.id, Ruling::Release, "demo").await?;
        }
        let figures = self.gateway.ledger.figures(name, 0).await?;
        let waiting = figures.in_state(DebtState::Waiting);
        let open = figures.backlog() - waiting + figures.in_state(DebtState::Sent);
        let findings = self.gateway.ledger.findings(Some(name), false, 0, 100).await?;
        for stubborn in findings.iter().filter(|f| f.status == FindingStatus::Persistent) {
            repair(&self.gateway, connection, stubborn).await?;
        }
        let live =
            |status| matches!(status, FindingStatus::Open | FindingStatus::Repairing | FindingStatus::Persistent);
        Ok(open == 0 && !findings.iter().any(|f| live(f.status)))
    }
}
