//! The rules of identifiers against collected vectors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests end the test")]

use contract_tests::shared_dir;
use serde_json::Value;
use silta_adapter::identity::{Hetu, NationalOid, Validity};
use silta_adapter::record::Learner;

fn vectors(file: &str) -> Option<Value> {
    let folder = shared_dir("cases/sis/identity")?;
    Some(serde_json::from_slice(&std::fs::read(folder.join(file)).unwrap()).unwrap())
}

fn rows<'a>(vectors: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let rows = vectors[name].as_array().unwrap_or_else(|| panic!("there are no vectors {name}"));
    assert!(!rows.is_empty());
    rows.iter()
}

fn hetu(value: &Value) -> Validity {
    Validity::of(Learner::HETU, value.as_str().unwrap())
}

#[test]
fn personal_identity_codes() {
    let Some(vectors) = vectors("hetu.json") else { return };
    for code in rows(&vectors, "synthetic_upstream") {
        assert_eq!(hetu(code), Validity::Synthetic, "{code}");
    }
    for row in rows(&vectors, "own_synthetic_all_signs") {
        assert_eq!(hetu(&row["hetu"]), Validity::Synthetic, "{row}");
        let code = Hetu::parse(row["hetu"].as_str().unwrap()).unwrap();
        assert_eq!(code.date_of_birth().unwrap().to_string(), row["birth"].as_str().unwrap(), "{row}");
        let odd = code.individual().unwrap() % 2 == 1;
        assert_eq!(odd, row["sex"] == "male", "{row}");
    }
    for row in rows(&vectors, "invalid_upstream") {
        let expected = match row["why"].as_str().unwrap() {
            "impossible date" | "not a hetu" | "control character" | "empty" => Validity::Malformed,
            _ => Validity::WrongCheckDigit,
        };
        assert_eq!(hetu(&row["value"]), expected, "{row}");
    }
    for row in rows(&vectors, "own_edge") {
        let why = row["why"].as_str().unwrap();
        let expected = match why {
            // As it stands there it has no letter: lower-case ones are read only when comparing.
            _ if why.starts_with("lower-case") => Validity::Synthetic,
            _ if why.starts_with("VIRTA XSD accepts") => Validity::Partial,
            _ => Validity::Malformed,
        };
        assert_eq!(hetu(&row["value"]), expected, "{row}");
    }
}

#[test]
fn national_oids() {
    let Some(vectors) = vectors("oid.json") else { return };
    for row in rows(&vectors, "vectors") {
        let oid = NationalOid::parse(row["oid"].as_str().unwrap()).unwrap_or_else(|| panic!("{row}"));
        assert_eq!(oid.checks, row["valid"].as_bool().unwrap(), "{row}");
        let mistyped = NationalOid::parse(&row["oid"].as_str().unwrap().replace("562", "563"));
        assert_eq!(mistyped, None, "another branch has other rules");
    }
}
