//! Logs and traces. Metrics are read off the ledger where they are asked for (`GET /metrics`).
//!
//! Log lines carry stable messages and dotted fields; never names, identity codes, source keys, bodies or query
//! strings. Records and learners appear as opaque ids, if at all.

use crate::config::{LogFormat, Telemetry};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Keeps telemetry going; what is pending is sent when it is dropped.
pub struct Guard {
    tracer: Option<SdkTracerProvider>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(tracer) = self.tracer.take() {
            // At the end of the process there is nobody left to tell that the last spans were lost.
            let _ = tracer.shutdown();
        }
    }
}

/// Telemetry cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum BadTelemetry {
    /// The log filter is not one.
    #[error("telemetry.log is not a filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Traces cannot be sent.
    #[error("traces cannot be sent: {0}")]
    Traces(String),
    /// It was started before.
    #[error("telemetry was started before: {0}")]
    Twice(String),
}

/// Starts logs and — where an endpoint is configured — traces for this process.
///
/// # Errors
/// If the configuration is not usable, or telemetry was started before.
pub fn start(config: &Telemetry) -> Result<Guard, BadTelemetry> {
    let filter = EnvFilter::try_new(&config.log)?;
    let lines = match config.log_format {
        LogFormat::Json => fmt::layer().json().with_writer(std::io::stderr).boxed(),
        LogFormat::Text => fmt::layer().with_writer(std::io::stderr).boxed(),
    };
    let tracer = (!config.otlp_endpoint.is_empty()).then(|| exporter(config)).transpose()?;
    let spans = tracer.as_ref().map(|t| tracing_opentelemetry::layer().with_tracer(t.tracer("silta")));
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(spans)
        .try_init()
        .map_err(|e| BadTelemetry::Twice(e.to_string()))?;
    Ok(Guard { tracer })
}

/// The exporter of traces. It sends from a thread of its own: the asynchronous one needs a runtime where there is none.
fn exporter(config: &Telemetry) -> Result<SdkTracerProvider, BadTelemetry> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", config.otlp_endpoint.trim_end_matches('/')))
        .build()
        .map_err(|e| BadTelemetry::Traces(e.to_string()))?;
    let resource = Resource::builder().with_service_name(config.service_name.clone()).build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}
