//! A lane that is held, and how long that is certain.

use super::DeliveryError;
use super::settle::micros;
use crate::gateway::Gateway;
use crate::ledger::{Claim, LaneId, LeaseToken, Micros};

/// A lane that is held. Whoever was stopped for longer than a lease may have lost it, and what it would send then may be
/// older than what was sent since.
#[derive(Debug)]
pub(super) struct Lease {
    lane: LaneId,
    token: LeaseToken,
    asked: Moment,
}

/// A moment on two clocks: one that may be set, and one that may rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Micros,
    running: Micros,
}

impl Moment {
    pub(super) fn of(gateway: &Gateway) -> Self {
        Self { now: gateway.now(), running: gateway.clock.running() }
    }

    /// True if by both clocks no more than this has passed.
    fn is_within(self, longest: Micros, later: Self) -> bool {
        let short = |from: Micros, to: Micros| (0..=longest).contains(&(to - from));
        short(self.now, later.now) && short(self.running, later.running)
    }
}

impl Lease {
    /// The lease of a claim that was asked for at a moment.
    pub(super) fn new(claim: &Claim, asked: Moment) -> Self {
        Self { lane: claim.lane, token: claim.token, asked }
    }

    /// To be called just before something is sent: the lane is held now, and for half a lease at least.
    ///
    /// # Errors
    /// If the lease was lost, or the ledger fails.
    pub(super) async fn hold(&mut self, gateway: &Gateway) -> Result<(), DeliveryError> {
        let lease = micros(gateway.config.delivery.lease_secs);
        while !self.asked.is_within(lease / 2, Moment::of(gateway)) {
            self.renew(gateway).await?;
        }
        Ok(())
    }

    /// Holds the lane for a whole lease from now.
    ///
    /// # Errors
    /// If the lease was lost, or the ledger fails.
    pub(super) async fn renew(&mut self, gateway: &Gateway) -> Result<(), DeliveryError> {
        let asked = Moment::of(gateway);
        let lease = micros(gateway.config.delivery.lease_secs);
        gateway.ledger.renew(self.lane, self.token, asked.now + lease).await?;
        self.asked = asked;
        Ok(())
    }
}
