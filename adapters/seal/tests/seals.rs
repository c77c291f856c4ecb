//! What is sealed verifies; what is anything else does not.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use common::{Authority, Kind, at, credential, mappings, now, seal_params, verify_at};
use proptest::prelude::*;
use serde_json::{Value, json};
use silta_adapter::seal::{NotSealed, Seal};
use silta_seal::report::{Status, Step};
use silta_seal::{Bounds, Sealer, StatusList, Trust, Verdict, Verifier, timestamp, verify};
use std::sync::LazyLock;

/// One of each, made once.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::new("Juuri"));
static SEALED: LazyLock<Vec<u8>> = LazyLock::new(|| sealed(&credential()));

fn sealer() -> Sealer {
    AUTHORITY.holder(Kind::P256, seal_params()).sealer()
}

fn sealed(credential: &Value) -> Vec<u8> {
    sealer().sign(credential.to_string().as_bytes(), now()).expect("seals").document(None)
}

fn verdict(document: &[u8]) -> Verdict {
    verify_at(document, &AUTHORITY.trust(), now()).verdict()
}

/// Why a step failed.
fn error(document: &[u8], step: Step) -> String {
    let report = verify_at(document, &AUTHORITY.trust(), now());
    assert_eq!(report.verdict(), Verdict::Invalid, "{report:#?}");
    let check = report.check(step).filter(|check| check.status == Status::Error);
    check.unwrap_or_else(|| panic!("{step:?} did not fail: {report:#?}")).description.clone()
}

/// The sealed document with its protected header changed.
fn with_header(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(&SEALED).expect("JSON");
    let signature = &mut document["signatures"][0];
    let mut header = decoded(&signature["protected"]);
    change(&mut header);
    signature["protected"] = json!(URL_SAFE_NO_PAD.encode(header.to_string()));
    document.to_string().into_bytes()
}

fn decoded(text: &Value) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(text.as_str().expect("text")).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[test]
fn what_is_sealed_verifies_with_every_algorithm() {
    let trust = AUTHORITY.trust();
    let algorithms = [(Kind::Rsa2048, "RS256"), (Kind::Rsa2048, "PS256"), (Kind::P256, "ES256"), (Kind::P384, "ES384")];
    for (kind, algorithm) in algorithms {
        let key = AUTHORITY.holder(kind, seal_params()).open(Some(algorithm)).expect("opens");
        assert_eq!(key.algorithm(), algorithm);
        let signed = Sealer::new(key, mappings()).sign(credential().to_string().as_bytes(), now()).expect("seals");
        let report = verify_at(&signed.document(None), &trust, now());
        assert_eq!(report.verdict(), Verdict::Trusted, "{algorithm}: {report:#?}");
        assert_eq!(report.signers[0].algorithm, algorithm);
    }
    let rsa = AUTHORITY.holder(Kind::Rsa2048, seal_params());
    assert_eq!(rsa.open(None).expect("opens").algorithm(), "RS256", "the Commission's own is the default");
    assert!(rsa.open(Some("ES256")).is_err());
    assert!(rsa.open(Some("HS256")).is_err());
}

#[test]
fn a_seal_has_the_form_of_the_commission_s() {
    let document: Value = serde_json::from_slice(&SEALED).expect("JSON");
    assert_eq!(document.as_object().expect("object").keys().collect::<Vec<_>>(), ["payload", "signatures"]);
    let header = decoded(&document["signatures"][0]["protected"]);
    assert_eq!(header["cty"], "octet-stream");
    assert_eq!(header["typ"], "jose+json");
    assert_eq!(header["b64"], false);
    assert_eq!(header["crit"], json!(["b64", "sigT"]));
    assert_eq!(header["sigT"], "2026-11-21T12:00:00Z");
    let payload: Value = serde_json::from_str(document["payload"].as_str().expect("text")).expect("JSON");
    assert_eq!(payload["issued"], "2026-11-21T12:00:00Z");
    assert_eq!(payload["issuanceDate"], payload["issued"]);
    assert_eq!(payload["issuer"]["eIDASIdentifier"]["notation"], "VATFI-00000000");
    assert_eq!(payload["issuer"]["legalName"], json!({ "en": "Esimerkin ammattikorkeakoulu" }));
    let country = "http://publications.europa.eu/resource/authority/country/FIN";
    assert_eq!(payload["issuer"]["eIDASIdentifier"]["spatial"]["id"], country);
    assert_eq!(payload["issuer"]["location"]["address"]["countryCode"]["id"], country);
    assert_eq!(payload["credentialSubject"], credential()["credentialSubject"]);
}

#[test]
fn every_other_member_stays_as_it_was_written() {
    let odd = r#"{ "id":"urn:credential:1", "type":["VerifiableCredential","EuropeanDigitalCredential"], "x": {"b":1.50,
        "a":1e2, "c":"\u00e4"}, "@context":["https://www.w3.org/2018/credentials/v1","http://data.europa.eu/snb/model/context/edc-ap"]}"#;
    let document = sealer().sign(odd.as_bytes(), now()).expect("seals").document(None);
    let document: Value = serde_json::from_slice(&document).expect("JSON");
    assert!(
        document["payload"].as_str().expect("text").contains("{\"b\":1.50,\n        \"a\":1e2, \"c\":\"\\u00e4\"}")
    );
}

#[test]
fn an_uploaded_issuer_keeps_what_the_certificate_does_not_say() {
    let mut wrapped =
        json!({ "credential": credential(), "deliveryDetails": { "deliveryAddress": ["a@example.org"] } });
    wrapped["credential"]["issuer"] = json!({
        "id": "urn:epass:org:1", "type": "Organisation", "legalName": { "fi": "Joku muu" },
        "homepage": { "id": "urn:epass:webResource:1", "type": "WebResource", "contentURL": "https://example.org" },
        "location": { "id": "urn:epass:location:1", "type": "Location" },
    });
    let document: Value = serde_json::from_slice(&sealed(&wrapped)).expect("JSON");
    let payload: Value = serde_json::from_str(document["payload"].as_str().expect("text")).expect("JSON");
    assert!(payload.get("deliveryDetails").is_none());
    let issuer = &payload["issuer"];
    assert_eq!(issuer["homepage"], wrapped["credential"]["issuer"]["homepage"]);
    assert_ne!(issuer["id"], "urn:epass:org:1", "the same node may stand elsewhere under its own name");
    assert_eq!(issuer["legalName"], json!({ "en": "Esimerkin ammattikorkeakoulu" }));
    assert_eq!(issuer["location"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_may_not_be_sealed_is_refused_with_a_reason() {
    let mut foreign = credential();
    foreign["issuer"] = json!({ "eIDASIdentifier": { "notation": "VATFI-11111111" } });
    let mut context = credential();
    context["@context"] = json!(["https://www.w3.org/2018/credentials/v1"]);
    let again: Value = serde_json::from_slice(&SEALED).expect("JSON");
    let twice = credential().to_string().replacen('{', r#"{"id":"urn:credential:2","#, 1);
    for (document, needle) in [
        (foreign.to_string(), "an issuer other than"),
        (context.to_string(), "contexts"),
        (again.to_string(), "sealed already"),
        (twice, "a member twice"),
        ("[]".into(), "not a JSON object"),
    ] {
        match sealer().sign(document.as_bytes(), now()) {
            Err(NotSealed::Refused(problem)) => assert!(problem.message.contains(needle), "{problem}"),
            other => panic!("{needle}: {other:?}"),
        }
    }
    let expired = sealer().sign(credential().to_string().as_bytes(), at("2027-01-02T00:00:00Z"));
    assert!(expired.expect_err("expired").to_string().contains("expired"));
}

#[test]
fn a_key_goes_with_its_own_certificate_only() {
    let (one, mut other) = (AUTHORITY.holder(Kind::P256, seal_params()), AUTHORITY.holder(Kind::P256, seal_params()));
    other.key = one.key;
    assert_eq!(other.open(None).expect_err("foreign"), "the key does not belong to the certificate");
}

#[test]
fn any_changed_byte_is_noticed() {
    let document = SEALED.as_slice();
    assert_eq!(verdict(document), Verdict::Trusted);
    for at in (0..document.len()).step_by(3) {
        let mut changed = document.to_vec();
        changed[at] ^= 1;
        assert_eq!(verdict(&changed), Verdict::Invalid, "byte {at}: {:?}", char::from(changed[at]));
    }
}

#[test]
fn headers_that_could_mislead_are_refused() {
    let set = |name: &'static str, value: Value| with_header(move |header| header[name] = value);
    let drop = |name: &'static str| {
        with_header(move |header| {
            header.as_object_mut().expect("object").remove(name);
        })
    };
    for (document, needle) in [
        (set("alg", json!("none")), "alg is not accepted"),
        (set("alg", json!("HS256")), "alg is not accepted"),
        (set("alg", json!("RS1")), "alg is not accepted"),
        (set("crit", json!(["b64", "sigT", "exp"])), "crit names exp, which is not understood"),
        (set("crit", json!(["b64", "sigT", "adoTst"])), "not there"),
        (set("crit", json!(["b64", "b64"])), "twice"),
        (set("crit", json!(["sigT"])), "b64 is not critical"),
        (set("crit", json!([])), "crit is not a list"),
        (drop("crit"), "crit is not a list"),
        (set("b64", json!(true)), "b64 is not false"),
        (drop("sigT"), "crit names a parameter that is not there"),
        (set("x5c", json!([])), "x5c is empty"),
        (set("x5c", json!(["AAAA"])), "not an X.509 certificate"),
        (set("sigD", json!({})), "sigD"),
    ] {
        let error = error(&document, Step::Structure);
        assert!(error.contains(needle), "{needle}: {error}");
    }
    // An RSA algorithm over an elliptic-curve key: a name is not played against a key of another kind.
    assert!(error(&set("alg", json!("RS256")), Step::Signature).contains("does not go with the kind of key"));
    assert!(error(&set("x5t#S256", json!("AAAA")), Step::Certificate).contains("thumbprint"));
    assert!(error(&drop("x5t#S256"), Step::Certificate).contains("thumbprint"));
    let other = AUTHORITY.holder(Kind::P256, seal_params()).certificate;
    error(&set("x5c", json!([STANDARD.encode(other.der())])), Step::Signature);
}

#[test]
fn documents_that_could_mislead_are_refused() {
    let text = String::from_utf8(SEALED.clone()).expect("text");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut copy = document.clone();
        change(&mut copy);
        copy.to_string()
    };
    for (text, needle) in [
        (text.replacen('{', r#"{"payload":"x","#, 1), "a member twice"),
        (text.replacen("\"protected\"", "\"protected\":\"\",\"protected\"", 1), "a member twice"),
        (changed(&|d| d["note"] = json!("not signed")), "nothing else"),
        (changed(&|d| d["signatures"][0]["header"] = json!({ "alg": "none" })), "nothing protects"),
        (changed(&|d| d["signatures"][0]["note"] = json!(1)), "not known"),
        (changed(&|d| d["signatures"] = json!([])), "nothing else"),
        (changed(&|d| d["signatures"] = json!(vec![d["signatures"][0].clone(); 5])), "more than 4 signatures"),
        (
            changed(&|d| {
                d.as_object_mut().expect("object").remove("payload");
            }),
            "no payload",
        ),
        (changed(&|d| d["payload"] = json!({})), "not a text"),
        (credential().to_string(), "not sealed"),
        ("[".repeat(1 << 20), "deeper"),
        (format!("{text} {{}}"), "not JSON"),
    ] {
        let error = error(text.as_bytes(), Step::Structure);
        assert!(error.contains(needle), "{needle}: {error}");
    }
    let large = vec![b' '; Bounds::default().bytes + 1];
    assert!(error(&large, Step::Structure).contains("larger"));
    let mut wordy = credential();
    wordy["credentialSubject"]["fullName"] = json!({ "fi": "x".repeat(1_300_000) });
    assert_eq!(verdict(&sealed(&wordy)), Verdict::Trusted, "as large as real transcripts are");
}

#[test]
fn every_signature_has_to_hold() {
    let mut document: Value = serde_json::from_slice(&SEALED).expect("JSON");
    let flattened = json!({
        "payload": document["payload"], "protected": document["signatures"][0]["protected"],
        "signature": document["signatures"][0]["signature"],
    });
    assert_eq!(verdict(flattened.to_string().as_bytes()), Verdict::Trusted, "the flattened form is JWS too");
    let other: Value = serde_json::from_slice(&sealed(&json!(credential()))).expect("JSON");
    let signature = other["signatures"][0].clone();
    document["signatures"].as_array_mut().expect("a list").push(signature);
    // The second key sealed at the same instant what differs in the issuer's id alone.
    assert_ne!(document["payload"], other["payload"]);
    error(document.to_string().as_bytes(), Step::Signature);
}

#[test]
fn trust_is_not_validity() {
    let other = Authority::new("Toinen juuri");
    let report = verify_at(&SEALED, &other.trust(), now());
    assert_eq!(report.verdict(), Verdict::Untrusted);
    assert!(report.check(Step::Chain).expect("chain").description.contains("no chain leads to a trust anchor"));
    let nobody = verify_at(&SEALED, &Trust::default(), now());
    assert_eq!((nobody.verdict(), nobody.status(Step::Chain)), (Verdict::Untrusted, Status::Skipped));

    let holder = AUTHORITY.holder(Kind::P256, seal_params());
    let document = holder.sealer().sign(credential().to_string().as_bytes(), now()).expect("seals").document(None);
    let pinned = |certificate| {
        let mut trust = AUTHORITY.trust();
        trust.pin(certificate);
        verify_at(&document, &trust, now()).verdict()
    };
    assert_eq!(pinned(holder.certificate.clone()), Verdict::Trusted);
    assert_eq!(pinned(AUTHORITY.holder(Kind::P256, seal_params()).certificate), Verdict::Untrusted);
}

#[test]
fn a_certificate_is_judged_at_the_time_of_sealing() {
    let trust = AUTHORITY.trust();
    let late = at("2027-06-01T00:00:00Z");
    let report = verify_at(&SEALED, &trust, late);
    assert_eq!(report.verdict(), Verdict::Untrusted, "no time-stamp proves that it is older than the expiry");
    assert!(report.check(Step::Chain).expect("chain").description.contains("expired"));
    let early = verify_at(&SEALED, &trust, at("2026-11-21T11:00:00Z"));
    assert_eq!(early.verdict(), Verdict::Invalid, "nobody seals in the future: {early:#?}");

    let mut params = seal_params();
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyEncipherment];
    let refused = AUTHORITY.holder(Kind::P256, params).sealer().sign(credential().to_string().as_bytes(), now());
    assert!(refused.expect_err("key usage").to_string().contains("key usage"));
}

#[test]
fn a_revoked_certificate_is_told_and_what_is_not_known_is_said() {
    let mut params = seal_params();
    params.serial_number = Some(77.into());
    params.crl_distribution_points =
        vec![rcgen::CrlDistributionPoint { uris: vec!["http://crl.example/list.crl".to_owned()] }];
    let holder = AUTHORITY.holder(Kind::P256, params);
    assert_eq!(holder.certificate.revocation_lists(), ["http://crl.example/list.crl"]);
    let document = holder.sealer().sign(credential().to_string().as_bytes(), now()).expect("seals").document(None);
    let other = Authority::new("Toinen juuri");
    for (lists, verdict, status) in [
        (vec![], Verdict::Trusted, Status::Skipped),
        (vec![other.revoked(&[(77, 1)])], Verdict::Trusted, Status::Skipped),
        (vec![AUTHORITY.revoked(&[(78, 1)])], Verdict::Trusted, Status::Ok),
        (vec![AUTHORITY.revoked(&[(77, 1)])], Verdict::Invalid, Status::Error),
        // Revoked after the seal was made, which without a time-stamp is when it is verified.
        (vec![AUTHORITY.revoked(&[(77, 30)])], Verdict::Trusted, Status::Ok),
        (vec![other.revoked(&[(77, 1)]), AUTHORITY.revoked(&[(77, 1)])], Verdict::Invalid, Status::Error),
    ] {
        let mut trust = AUTHORITY.trust();
        lists.iter().for_each(|list| trust.revocations(list).expect("a list"));
        let report = verify_at(&document, &trust, now());
        assert_eq!((report.verdict(), report.status(Step::CertificateStatus)), (verdict, status), "{report:#?}");
    }
    for nonsense in [&b""[..], b"0\x03\x02\x01\x02", b"-----BEGIN CERTIFICATE-----"] {
        assert!(Trust::default().revocations(nonsense).is_err());
    }
    assert_eq!(verify::sources(&document, Bounds::default()).revocation_lists, ["http://crl.example/list.crl"]);
}

#[test]
fn the_issuer_is_the_certificate_s_holder() {
    let mut params = seal_params();
    params.distinguished_name.push(rcgen::DnType::OrganizationName, "Toinen korkeakoulu");
    // Sealed by another organisation's key, with the header and certificate of that key.
    let other: Value = serde_json::from_slice(
        &AUTHORITY
            .holder(Kind::P256, params)
            .sealer()
            .sign(credential().to_string().as_bytes(), now())
            .expect("seals")
            .document(None),
    )
    .expect("JSON");
    let own: Value = serde_json::from_slice(&SEALED).expect("JSON");
    let mixed = json!({ "payload": own["payload"], "signatures": other["signatures"] });
    assert!(error(mixed.to_string().as_bytes(), Step::Issuer).contains("legal name"));
}

#[test]
fn validity_and_status_are_the_credential_s_own() {
    let mut ended = credential();
    ended["validUntil"] = json!("2026-11-20T00:00:00+02:00");
    assert!(error(&sealed(&ended), Step::Validity).contains("validUntil"));
    let mut later = credential();
    later["validFrom"] = json!("2026-12-01T00:00:00");
    assert!(error(&sealed(&later), Step::Validity).contains("validFrom"));

    let mut list = StatusList::new("https://silta.example/status/1", "revocation", 1);
    let mut revocable = credential();
    revocable["credentialStatus"] = list.entry(7);
    let document = sealed(&revocable);
    let (trust, mappings) = (AUTHORITY.trust(), mappings());
    let verify = |lists: &[StatusList]| {
        let verifier = Verifier { trust: &trust, mappings: &mappings, lists, bounds: Bounds::default() };
        let report = verifier.verify(&document, now());
        (report.verdict(), report.status(Step::Status))
    };
    assert_eq!(verify(&[]), (Verdict::Trusted, Status::Skipped));
    assert_eq!(verify(&[list.clone()]), (Verdict::Trusted, Status::Ok));
    list.set(7, true);
    assert_eq!(verify(&[list]), (Verdict::Invalid, Status::Error));
}

#[test]
fn a_status_list_counts_only_from_the_credential_s_issuer() {
    const URL: &str = "https://silta.example/status/1";
    let holder = AUTHORITY.holder(Kind::P256, seal_params());
    let mut list = StatusList::new(URL, "revocation", 1);
    let mut revocable = credential();
    revocable["credentialStatus"] = list.entry(7);
    let document = holder.sealer().sign(revocable.to_string().as_bytes(), now()).expect("seals").document(None);
    let plain =
        |list: &StatusList| list.credential(URL, now(), now() + jiff::SignedDuration::from_hours(1)).expect("a list");
    let by = |sealer: &Sealer, list: &StatusList| sealer.seal_list(&plain(list), now()).expect("seals");
    let mappings = mappings();
    let judged = |lists: &[&[u8]], trust: &Trust| {
        let lists: Vec<_> = lists.iter().map(|l| StatusList::read(l, Bounds::default()).expect("a list")).collect();
        let verifier = Verifier { trust, mappings: &mappings, lists: &lists, bounds: Bounds::default() };
        let report = verifier.verify(&document, now());
        report.check(Step::Status).map(|check| (check.status, check.description.clone())).expect("a check")
    };
    let clear = list.clone();
    list.set(7, true);
    let trust = AUTHORITY.trust();
    assert_eq!(judged(&[&by(&holder.sealer(), &clear)], &trust).0, Status::Ok);
    assert_eq!(judged(&[&by(&holder.sealer(), &list)], &Trust::default()).0, Status::Error, "its own needs no anchor");
    // Another certificate of the same organisation, once it is trusted: seals outlive their certificates.
    let next = sealer();
    assert_eq!(judged(&[&by(&next, &clear)], &trust).0, Status::Ok);
    assert_eq!(judged(&[&by(&next, &list)], &trust).0, Status::Error);
    assert_eq!(judged(&[&by(&next, &clear)], &Trust::default()).0, Status::Skipped, "anybody can call themselves that");

    let mut params = seal_params();
    params.distinguished_name.push(rcgen::DnType::CustomDnType(vec![2, 5, 4, 97]), "VATFI-11111111");
    let foreign = AUTHORITY.holder(Kind::P256, params).sealer();
    let impostor = Authority::new("Toinen juuri").holder(Kind::P256, seal_params()).sealer();
    let bare = plain(&clear).to_string().into_bytes();
    for (who, doubted) in [
        ("another organisation", by(&foreign, &clear)),
        ("an impostor", by(&impostor, &clear)),
        ("nobody", bare.clone()),
    ] {
        let (status, description) = judged(&[&doubted], &trust);
        assert!(status == Status::Skipped && description.contains("not sealed by the credential's issuer"), "{who}");
        // It does not stand in the way of the one that counts.
        assert_eq!(judged(&[&doubted, &by(&holder.sealer(), &list)], &trust).0, Status::Error, "{who}");
    }
    let both = [by(&holder.sealer(), &clear), by(&holder.sealer(), &list)];
    assert_eq!(judged(&[&both[0], &both[1]], &trust).0, Status::Error, "whichever comes first");
    let vouched = [StatusList::read(&bare, Bounds::default()).expect("a list").vouched()];
    let verifier = Verifier { trust: &trust, mappings: &mappings, lists: &vouched, bounds: Bounds::default() };
    assert_eq!(verifier.verify(&document, now()).status(Step::Status), Status::Ok);

    let sealed = String::from_utf8(by(&holder.sealer(), &list)).expect("text");
    let changed = sealed.replacen("revocation", "suspension", 1);
    assert!(StatusList::read(changed.as_bytes(), Bounds::default()).is_err(), "its signature has to hold");
}

#[tokio::test]
async fn a_sealer_is_what_deliveries_ask_for() {
    let sealer: Box<dyn Seal> = Box::new(sealer());
    let document = sealer.seal(credential().to_string().as_bytes(), now()).await.expect("seals");
    assert_eq!(verdict(&document), Verdict::Trusted);
}

proptest! {
    /// Whatever the bytes, there is a verdict, and it is not a good one.
    #[test]
    fn bytes_of_any_kind_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert_eq!(verdict(&bytes), Verdict::Invalid);
    }

    /// Nothing that a machine makes up is a time-stamp, and a status list at most by its form.
    #[test]
    fn other_bytes_of_any_kind_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300), seed in any::<[u8; 4]>()) {
        prop_assert!(timestamp::verify(&bytes, b"", &[]).is_err());
        let sequence = [&[0x30, 0x82, seed[0], seed[1]], bytes.as_slice()].concat();
        prop_assert!(timestamp::verify(&sequence, b"", &[]).is_err());
        if let Ok(list) = StatusList::read(&bytes, Bounds::default()) {
            prop_assert_eq!(list.get(list.entries()), None);
        }
    }

    /// Spliced, cut and repeated documents are survived, and not believed.
    #[test]
    fn damaged_documents_are_survived(from in 0usize..4000, length in 0usize..200, to in 0usize..4000) {
        let document = SEALED.as_slice();
        let (from, to) = (from % document.len(), to % document.len());
        let piece = &document[from..(from + length).min(document.len())];
        let damaged = [&document[..to], piece, &document[to..]].concat();
        // Space between the parts of JSON is nobody's content.
        let same = || serde_json::from_slice::<Value>(&damaged).ok() == serde_json::from_slice(document).ok();
        prop_assert!(verdict(&damaged) == Verdict::Invalid || same());
    }

    /// Any text survives sealing and verifying unchanged.
    #[test]
    fn any_text_is_sealed_as_it_is(text in ".{0,80}") {
        let mut credential = credential();
        credential["credentialSubject"]["fullName"] = json!({ "fi": text });
        let document = sealed(&credential);
        prop_assert_eq!(verdict(&document), Verdict::Trusted);
        let document: Value = serde_json::from_slice(&document).expect("JSON");
        let payload: Value = serde_json::from_str(document["payload"].as_str().expect("text")).expect("JSON");
        prop_assert_eq!(&payload["credentialSubject"], &credential["credentialSubject"]);
    }
}
