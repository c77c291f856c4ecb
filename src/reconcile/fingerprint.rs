//! What identifies a piece of learning without its key.

use serde_json::{Value, json};
use silta_adapter::mapping::Institutions;

/// Institution (under the name it has today), name, date, credits, grade and module code of an attainment, from its
/// canonical form. `None` for what cannot be recognised without its key: other kinds, and attainments without a name
/// or a date. Whose learning it is, is for the caller to know.
pub(super) fn fingerprint(form: &Value, institutions: &Institutions) -> Option<Value> {
    if form["kind"] != "attainment" {
        return None;
    }
    let institution = institutions.current(form["institution"].as_str().unwrap_or_default());
    let body = &form["body"];
    if body["title"].is_null() || body["completed_on"].is_null() {
        return None;
    }
    Some(json!([institution, body["title"], body["completed_on"], body["credits"], body["grade"], body["code"]]))
}
