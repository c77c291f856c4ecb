//! `GET /v1/tenants/{tenant}/completeness`: how completely institutions document their micro-credentials.

use super::Shared;
use super::auth::Bearer;
use super::error::ApiError;
use super::extract::{UrlPath, UrlQuery};
use super::openapi::described;
use super::reach;
use crate::access::{self, Denied, Right};
use crate::completeness::{self, Completeness, NotCounted};
use crate::exchange::ExchangeError;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use smol_str::SmolStr;

/// Which attainments.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CompletenessQuery {
    /// True to look at all attainments, not only at those whose type says that they are micro-credentials.
    #[serde(default)]
    all: bool,
}

described!(Completeness);

impl From<NotCounted> for ApiError {
    fn from(e: NotCounted) -> Self {
        match e {
            NotCounted::Ledger(e) => e.into(),
            NotCounted::Vault(e) => ExchangeError::Vault(e).into(),
        }
    }
}

/// Count what institutions document.
///
/// For each institution and each element of Annex I of the Council Recommendation 2022/C 243/02, of the national
/// definition and of what goes beyond both: in how many records it is present, weak or missing. As CSV where `Accept`
/// asks for `text/csv`. Needs a token for all kinds.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/completeness", tag = "records",
    params(("tenant" = String, Path, description = "whose records"), CompletenessQuery),
    responses((status = 200, description = "figures by institution and element",
        content((Completeness = "application/json"), (String = "text/csv")))))]
pub async fn read_completeness(
    State(gateway): State<Shared>,
    Bearer(actor): Bearer,
    UrlPath(tenant): UrlPath<SmolStr>,
    UrlQuery(query): UrlQuery<CompletenessQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let right = if actor.may(Right::Operate, None).is_ok() { Right::Operate } else { Right::Push };
    reach::tenant(&gateway, &actor, right, &tenant)?;
    if !actor.kinds().is_empty() {
        return Err(Denied::Kind.into());
    }
    access::audit(&gateway, actor.name(), "read_completeness", &tenant, "", "").await?;
    let found = completeness::count(&gateway, &tenant, query.all).await?;
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    Ok(match accept.contains("text/csv") {
        true => ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], found.to_csv()).into_response(),
        false => Json(found).into_response(),
    })
}

#[cfg(test)]
mod tests {
    use crate::http::testing::{OURS, THEIRS, World, learner};
    use crate::ledger::Role;
    use axum::body::Body;
    use axum::http::Request;
    use serde_json::{Value, json};

    fn attainment(id: &str, body: Value) -> Value {
        json!({"kind": "attainment", "id": id, "learner": "p1", "institution": "10122", "body": body})
    }

    #[tokio::test]
    async fn each_element_is_counted_by_institution() {
        let world = World::new();
        let token = world.token(Role::Registrar, Some(OURS), &[]).await;
        let titled = json!([{"lang": "fi", "value": "Opinto"}]);
        let other = json!({"scheme": "virta:organisaatio", "value": "10065"});
        let lines = [
            learner("p1"),
            attainment("a1", json!({"title": titled, "credits": {"ects": "5"}})),
            attainment("a2", json!({"title": [{"value": "Opinto"}]})),
            attainment("a3", json!({"title": titled, "awarding_body": other})),
        ];
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        world.push(&token, &format!("{OURS}/records"), &lines.join("\n")).await.expect(200);
        let none = world.get(&token, "/v1/tenants/10122/completeness").await.expect(200).json();
        assert_eq!(none["institutions"], json!([]), "none of them says that it is a micro-credential");
        let found = world.get(&token, "/v1/tenants/10122/completeness?all=true").await.expect(200).json();
        let institutions = found["institutions"].as_array().expect("institutions");
        let told: Vec<_> = institutions.iter().map(|i| (&i["institution"], &i["records"], &i["complete"])).collect();
        assert_eq!(told, [(&json!("10065"), &json!(1), &json!(0)), (&json!("10122"), &json!(2), &json!(0))]);
        let element = |id: &str| {
            let elements = institutions[1]["elements"].as_array().expect("elements");
            elements.iter().find(|e| e["id"] == id).cloned().expect("the element")
        };
        let m2 = element("M2");
        assert_eq!((&m2["present"], &m2["weak"], &m2["missing"]), (&json!(1), &json!(1), &json!(0)), "{m2}");
        assert_eq!(element("M7")["missing"], 1);
        assert_eq!(institutions[1]["elements"].as_array().map(Vec::len), Some(22));

        let asked = Request::get("/v1/tenants/10122/completeness?all=true")
            .header("authorization", format!("Bearer {token}"))
            .header("accept", "text/csv");
        let csv = world.send(asked.body(Body::empty()).expect("a request")).await.expect(200);
        assert!(csv.header("content-type").starts_with("text/csv"));
        assert_eq!(csv.body.lines().count(), 1 + 2 * 22);
        assert!(csv.body.contains("10122,10122,2,0,M2,title,1,1,0,0.500"), "{}", csv.body);

        let stranger = world.token(Role::Registrar, Some(THEIRS), &[]).await;
        world.get(&stranger, "/v1/tenants/10122/completeness").await.expect(403);
    }
}
