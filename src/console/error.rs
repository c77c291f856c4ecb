//! What can go wrong on a page, told in the console's own layout.

use super::App;
use super::layout::Frame;
use super::session::Seat;
use crate::access::Denied;
use crate::completeness::NotCounted;
use crate::delivery::DeliveryError;
use crate::exchange::ExchangeError;
use crate::ledger::LedgerError;
use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};

/// A page cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody is logged in.
    NoSession,
    /// There is no such thing, or not for this token.
    NotFound,
    /// The token's role does not allow it.
    Forbidden,
    /// The form did not come from the console, or from an older session.
    Forged,
    /// The form cannot be read.
    BadForm,
    /// The store is away.
    Away,
    /// The gateway failed; its log says why.
    Broken,
}

impl Trouble {
    fn status(self) -> StatusCode {
        match self {
            Self::NoSession => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden | Self::Forged => StatusCode::FORBIDDEN,
            Self::BadForm => StatusCode::BAD_REQUEST,
            Self::Away => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NoSession => ("Not logged in", "Log in with a token to see this page."),
            Self::NotFound => {
                ("Not found", "There is no such page or thing, or the token you are logged in with may not know of it.")
            }
            Self::Forbidden => ("Not allowed", "The role of the token you are logged in with does not allow this."),
            Self::Forged => (
                "Form refused",
                "The form did not come from this session. Go back, load the page again and repeat what you did.",
            ),
            Self::BadForm => ("Form not readable", "The form could not be read. Nothing was changed."),
            Self::Away => ("The store is away", "Nothing is lost. Load the page again when the database is back."),
            Self::Broken => (
                "The gateway failed",
                "The page could not be made. Nothing is lost; the log of the gateway says what failed.",
            ),
        }
    }

    /// The page that tells it.
    pub fn page(self, app: &App, seat: Option<&Seat>) -> Response {
        #[derive(Template)]
        #[template(path = "trouble.html")]
        struct Page {
            frame: Frame,
            status: u16,
            text: &'static str,
        }
        let (title, text) = self.words();
        let frame = seat.map_or_else(|| Frame::outside(title), |seat| Frame::new(app, seat, "", title));
        let page = Page { frame, status: self.status().as_u16(), text };
        (self.status(), page.render().map_or_else(|_| title.into_response(), |html| Html(html).into_response()))
            .into_response()
    }

    fn broken(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "console page failed");
        Self::Broken
    }
}

/// Carries the trouble to the frame around all pages, which knows who asked.
impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        if self == Self::NoSession {
            return Redirect::to("/login").into_response();
        }
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Denied> for Trouble {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unknown => Self::NoSession,
            Denied::Role => Self::Forbidden,
            Denied::Tenant | Denied::Kind => Self::NotFound,
        }
    }
}

macro_rules! broken {
    ($($error:ty),*) => {$(
        impl From<$error> for Trouble {
            fn from(e: $error) -> Self {
                Self::broken(&e)
            }
        }
    )*};
}
broken!(ExchangeError, NotCounted, askama::Error);

impl From<LedgerError> for Trouble {
    fn from(e: LedgerError) -> Self {
        let told = Self::broken(&e);
        if matches!(e, LedgerError::Away(_)) { Self::Away } else { told }
    }
}

impl From<DeliveryError> for Trouble {
    fn from(e: DeliveryError) -> Self {
        match e {
            DeliveryError::Ledger(e) => e.into(),
            e => Self::broken(&e),
        }
    }
}
