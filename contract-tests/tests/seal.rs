//! Seals of the Commission, verified; and ours, verified by others.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so")]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use contract_tests::pki::Pki;
use contract_tests::{files, python, shared_dir};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use silta_adapter::mapping::Mappings;
use silta_adapter::seal::{NotSealed, Seal};
use silta_seal::key::Companions;
use silta_seal::report::{Status, Step};
use silta_seal::{Bounds, Certificate, Key, Report, Sealer, TimeStampService, Trust, Verdict, Verifier};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};

static MAPPINGS: LazyLock<Arc<Mappings>> = LazyLock::new(|| Arc::new(Mappings::builtin().expect("mappings")));

fn verify_at(document: &[u8], trust: &Trust, now: Timestamp) -> Report {
    Verifier { trust, mappings: &MAPPINGS, lists: &[], bounds: Bounds::default() }.verify(document, now)
}

fn verify(document: &[u8], trust: &Trust) -> Report {
    verify_at(document, trust, now())
}

/// Long after the certificates of the samples expired.
fn now() -> Timestamp {
    "2026-11-01T12:00:00Z".parse().expect("a time")
}

/// The sealed ones among the cases.
fn sealed() -> Vec<(PathBuf, Vec<u8>)> {
    let Some(cases) = shared_dir("cases/elm") else { return Vec::new() };
    let read = |path: PathBuf| std::fs::read(&path).map(|bytes| (path, bytes)).expect("reads");
    let found: Vec<_> =
        files(&cases, ".jsonld").into_iter().map(read).filter(|(_, b)| b.starts_with(b"{\"payload\"")).collect();
    assert!(found.len() >= 7, "only {} sealed cases", found.len());
    found
}

fn is_official(path: &Path) -> bool {
    !path.to_string_lossy().contains("ec-issuer-tests")
}

fn protected(document: &[u8]) -> Value {
    let document: Value = serde_json::from_slice(document).expect("JSON");
    let text = document["signatures"][0]["protected"].as_str().expect("text").to_owned();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).expect("base64url")).expect("JSON")
}

/// The roots that the long-term samples bring along as proof.
fn authorities() -> Vec<Certificate> {
    brought().into_iter().filter(Certificate::is_self_issued).collect()
}

/// The authorities between the roots and the seals.
fn intermediates() -> Vec<Certificate> {
    brought()
        .into_iter()
        .filter(|c| !c.is_self_issued() && c.subject().starts_with("CN=ANF AC Qualified Certificates for eSeal,"))
        .collect()
}

/// The certificates that the long-term samples bring along as proof.
fn brought() -> Vec<Certificate> {
    let mut found: Vec<Certificate> = Vec::new();
    for (_, document) in sealed() {
        let document: Value = serde_json::from_slice(&document).expect("JSON");
        for component in document["signatures"][0]["header"]["etsiU"].as_array().expect("a list") {
            let component = URL_SAFE_NO_PAD.decode(component.as_str().expect("text")).expect("base64url");
            let component: Value = serde_json::from_slice(&component).expect("JSON");
            for value in component["xVals"].as_array().into_iter().flatten() {
                let der = STANDARD.decode(value["x509Cert"]["val"].as_str().expect("text")).expect("base64");
                let certificate = Certificate::from_der(der).expect("a certificate");
                if !found.contains(&certificate) {
                    found.push(certificate);
                }
            }
        }
    }
    found
}

fn trusting(anchors: impl IntoIterator<Item = Certificate>) -> Trust {
    let mut trust = Trust::default();
    anchors.into_iter().for_each(|anchor| trust.anchor(anchor));
    trust
}

#[test]
fn the_seals_of_the_cases_hold() {
    for (path, document) in sealed() {
        let report = verify(&document, &Trust::default());
        for step in [Step::Structure, Step::Signature, Step::Certificate, Step::TimeStamps] {
            assert_eq!(report.status(step), Status::Ok, "{}: {report:#?}", path.display());
        }
        let expected = if is_official(&path) { Verdict::Untrusted } else { Verdict::Invalid };
        assert_eq!(report.verdict(), expected, "{}: {report:#?}", path.display());
    }
}

#[test]
fn with_the_authorities_as_anchors_the_seals_are_trusted_although_expired() {
    let trust = trusting(authorities());
    for (path, document) in sealed() {
        let report = verify(&document, &trust);
        // One sample brings nothing but its own certificate: the chain to the root has a gap.
        let gap = path.ends_with("AA-Annex1-MC-signed.jsonld");
        assert_eq!(report.status(Step::Chain), if gap { Status::Error } else { Status::Ok }, "{report:#?}");
        let mut whole = trust.clone();
        intermediates().into_iter().for_each(|authority| whole.anchor(authority));
        let expected = if is_official(&path) { Verdict::Trusted } else { Verdict::Invalid };
        assert_eq!(verify(&document, &whole).verdict(), expected, "{}", path.display());
    }
}

/// Every signature, thumbprint and time-stamp is over bytes; a change of any of them shows. Positions are spread over the
/// payload, and close together in the signed header and the signature.
#[test]
fn a_changed_byte_of_payload_header_or_signature_is_noticed() {
    for (path, document) in sealed() {
        if !path.ends_with("Sample-MC-Annex1-signed.jsonld") && !path.ends_with("AA-Annex1-MC-signed.jsonld") {
            continue;
        }
        let text = std::str::from_utf8(&document).expect("text");
        let span = |name: &str, to: &str| {
            let start = text.find(&format!("\"{name}\":\"")).expect(name) + name.len() + 4;
            (start, start + text[start..].find(to).expect(to))
        };
        let payload = span("payload", "\",\"signatures\"");
        let (header, signature) = (span("protected", "\""), span("signature", "\""));
        for ((start, end), step) in [(payload, 4_001), (header, 661), (signature, 29)] {
            for at in (start..end).step_by(step).chain([end - 1]) {
                let mut changed = document.clone();
                changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
                let report = verify(&changed, &Trust::default());
                assert_eq!(report.verdict(), Verdict::Invalid, "{} byte {at}", path.display());
            }
        }
    }
}

#[test]
fn a_pinned_certificate_is_trusted_and_no_other() {
    for (path, document) in sealed().into_iter().filter(|(path, _)| is_official(path)) {
        let der = STANDARD.decode(protected(&document)["x5c"][0].as_str().expect("text")).expect("base64");
        let mut trust = Trust::default();
        trust.pin(Certificate::from_der(der).expect("a certificate"));
        assert_eq!(verify(&document, &trust).verdict(), Verdict::Trusted, "{}", path.display());
        let mut other = Trust::default();
        authorities().into_iter().for_each(|authority| other.pin(authority));
        assert_eq!(verify(&document, &other).verdict(), Verdict::Untrusted, "{}", path.display());
    }
}

#[test]
fn only_a_trusted_time_stamp_lets_an_expired_certificate_be_trusted() {
    let seals = |c: &Certificate| c.subject().contains("ANF");
    let without_stamps = trusting(authorities().into_iter().filter(seals));
    for (path, document) in sealed().into_iter().filter(|(path, _)| is_official(path)) {
        let report = verify(&document, &without_stamps);
        assert_eq!(report.verdict(), Verdict::Untrusted, "{}", path.display());
        assert!(report.check(Step::Chain).expect("chain").description.contains("expired"), "{report:#?}");
    }
}

/// Long-term seals bring along what the authority's responder said when they were made.
#[test]
fn the_answers_that_seals_bring_along_say_that_their_certificates_were_not_revoked() {
    let mut trust = trusting(authorities());
    intermediates().into_iter().for_each(|authority| trust.anchor(authority));
    let mut judged = 0;
    for (path, document) in sealed().into_iter().filter(|(path, _)| is_official(path)) {
        let brings = !path.ends_with("AA-Annex1-MC-signed.jsonld");
        let report = verify(&document, &trust);
        let check = report.check(Step::CertificateStatus).expect("a check");
        assert_eq!(check.status, if brings { Status::Ok } else { Status::Skipped }, "{}: {check:?}", path.display());
        judged += usize::from(brings);
    }
    assert!(judged >= 4 || sealed().is_empty(), "only {judged} seals bring answers");
}

/// A sealed document with an answer of a responder among what it brings along.
fn bringing(document: &[u8], answer: &[u8]) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(document).expect("JSON");
    let values = serde_json::json!({ "rVals": { "ocspVals": [{ "val": STANDARD.encode(answer) }] } });
    document["signatures"][0]["header"] = serde_json::json!({ "etsiU": [URL_SAFE_NO_PAD.encode(values.to_string())] });
    document.to_string().into_bytes()
}

#[test]
fn an_answer_of_a_responder_counts_as_far_as_the_authority_lets_it() {
    let Some(pki) = Pki::new() else { return };
    for (name, section) in [("seal", "seal"), ("other", "seal"), ("responder", "ocsp")] {
        pki.certify(name, KINDS[2].1, section);
        pki.register(name);
    }
    let key = Key::from_pem(&pki.read("seal.key"), None, companions(&pki, "seal", None)).expect("a key");
    let document = sealer(key).sign(&credential(), today()).expect("seals").document(None);
    let judged = |answer: &[u8], later: SignedDuration| {
        let now = today() + SignedDuration::from_secs(2) + later;
        let report = verify_at(&bringing(&document, answer), &root(&pki), now);
        let check = report.check(Step::CertificateStatus).expect("a check").clone();
        assert_eq!(report.verdict() == Verdict::Invalid, check.status == Status::Error, "{report:#?}");
        (check.status, check.description)
    };
    let good = pki.answer("seal", "responder");
    assert_eq!(judged(&good, SignedDuration::ZERO).0, Status::Ok);
    assert_eq!(judged(&pki.answer("seal", "root"), SignedDuration::ZERO).0, Status::Ok, "the authority itself");
    // What was good long before the seal is verified says nothing of now.
    let stale = judged(&good, SignedDuration::from_hours(48));
    assert!(stale.0 == Status::Skipped && stale.1.contains("another certificate or time"), "{stale:?}");
    // A holder of the authority that is no responder, another authority's responder, a broken answer, another certificate's.
    let stranger = Pki::new().expect("openssl");
    stranger.certify("responder", KINDS[2].1, "ocsp");
    for kind in ["pem", "key"] {
        std::fs::write(pki.path(&format!("stranger.{kind}")), stranger.read(&format!("responder.{kind}")))
            .expect("writes");
    }
    let mut broken = good.clone();
    *broken.last_mut().expect("bytes") ^= 1;
    for (answer, needle) in [
        (pki.answer("seal", "other"), "not signed by whom"),
        (pki.answer("seal", "stranger"), "not signed by whom"),
        (broken, "not signed by whom"),
        (b"0\x03\x0a\x01\x01".to_vec(), "answers nothing"),
        (b"nonsense".to_vec(), "not an answer"),
        (pki.answer("other", "responder"), "another certificate or time"),
    ] {
        let (status, description) = judged(&answer, SignedDuration::ZERO);
        assert!(status == Status::Skipped && description.contains(needle), "{needle}: {description}");
    }
    pki.revoke("seal");
    assert_eq!(judged(&pki.answer("seal", "responder"), SignedDuration::ZERO).0, Status::Error);
}

const KINDS: [(&str, &str, Option<&str>); 4] = [
    ("rsa", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048", None),
    ("pss", "-algorithm RSA -pkeyopt rsa_keygen_bits:3072", Some("PS256")),
    ("p256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", None),
    ("p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384", None),
];

/// A real credential before it was sealed; a small one of ours where there are no cases.
fn credential() -> Vec<u8> {
    let case = shared_dir("cases/elm").map(|cases| std::fs::read(cases.join("Sample-MC-Annex1-unsigned.jsonld")));
    case.and_then(Result::ok).unwrap_or_else(|| {
        br#"{"id":"urn:credential:1","type":["VerifiableCredential","EuropeanDigitalCredential"],"credentialSubject":{},
        "@context":["https://www.w3.org/2018/credentials/v1","http://data.europa.eu/snb/model/context/edc-ap"]}"#
            .to_vec()
    })
}

fn companions(pki: &Pki, name: &str, algorithm: Option<&str>) -> Companions {
    let certificates = Certificate::from_file(&pki.read(&format!("{name}.pem"))).expect("a certificate");
    Companions { certificates, algorithm: algorithm.map(str::to_owned) }
}

fn sealer(key: Key) -> Sealer {
    Sealer::new(key, Arc::clone(&MAPPINGS))
}

/// What OpenSSL issues today is valid today.
#[expect(clippy::disallowed_methods, reason = "certificates of another program are valid by the machine's clock")]
fn today() -> Timestamp {
    Timestamp::now()
}

fn verify_today(document: &[u8], trust: &Trust) -> Report {
    // A time-stamp service rounds its time up to a second that ours may not have reached.
    verify_at(document, trust, today() + SignedDuration::from_secs(2))
}

fn root(pki: &Pki) -> Trust {
    trusting(Certificate::from_file(&pki.read("root.pem")).expect("a certificate"))
}

#[test]
fn another_implementation_verifies_our_seals() {
    let (Some(pki), Some(python)) = (Pki::new(), python()) else { return };
    let mut lines = Vec::new();
    for (name, kind, algorithm) in KINDS {
        pki.certify(name, kind, "seal");
        let pem = pki.read(&format!("{name}.key"));
        let key = Key::from_pem(&pem, None, companions(&pki, name, algorithm)).expect(name);
        let document = sealer(key).sign(&credential(), today()).expect("seals").document(None);
        let report = verify_today(&document, &root(&pki));
        assert_eq!(report.verdict(), Verdict::Trusted, "{name}: {report:#?}");
        lines.push((report.signers[0].algorithm.to_owned(), document));
    }
    lines.extend(sealed().into_iter().map(|(_, document)| ("RS256".to_owned(), document)));
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/jws.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("python");
    let mut input = child.stdin.take().expect("an input");
    let documents: Vec<Vec<u8>> = lines.iter().map(|(_, document)| document.clone()).collect();
    let feeder = std::thread::spawn(move || {
        documents.iter().all(|document| input.write_all(document).and_then(|()| input.write_all(b"\n")).is_ok())
    });
    let done = child.wait_with_output().expect("python ends");
    assert!(feeder.join().expect("fed") && done.status.success());
    let verdicts: Vec<Value> = String::from_utf8(done.stdout)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(verdicts.len(), lines.len());
    for (verdict, (algorithm, _)) in verdicts.iter().zip(&lines) {
        assert_eq!(verdict["alg"], **algorithm, "{verdict}");
    }
}

#[test]
fn keys_come_in_every_usual_form() {
    let Some(pki) = Pki::new() else { return };
    pki.certify("rsa", KINDS[0].1, "seal");
    pki.certify("p256", KINDS[2].1, "seal");
    pki.openssl("pkcs12 -export -in rsa.pem -inkey rsa.key -certfile root.pem -passout pass:salaisuus -out new.p12");
    pki.openssl(
        "pkcs12 -export -in rsa.pem -inkey rsa.key -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 \
         -passout pass:salaisuus -out old.p12",
    );
    pki.openssl("pkey -in rsa.key -traditional -out pkcs1.key");
    pki.openssl("pkey -in p256.key -traditional -out sec1.key");
    pki.openssl("pkcs8 -topk8 -in rsa.key -v2 aes-256-cbc -passout pass:salaisuus -out encrypted.key");
    let pass = Some("salaisuus");
    for name in ["new.p12", "old.p12"] {
        let open = |pass| Key::from_pkcs12(&pki.read(name), pass, Companions::default());
        let key = open("salaisuus").expect(name);
        assert_eq!(key.certificate(), &companions(&pki, "rsa", None).certificates[0]);
        assert!(key.chain().is_empty(), "an anchor is not brought along");
        assert!(open("väärä").is_err(), "{name}");
    }
    for (file, certificate, pass) in [
        ("pkcs1.key", "rsa", None),
        ("sec1.key", "p256", None),
        ("encrypted.key", "rsa", pass),
        ("rsa.key", "rsa", None),
    ] {
        Key::from_pem(&pki.read(file), pass, companions(&pki, certificate, None)).expect(file);
    }
    let encrypted = |pass| Key::from_pem(&pki.read("encrypted.key"), pass, companions(&pki, "rsa", None));
    assert!(encrypted(None).is_err() && encrypted(Some("väärä")).is_err());
    assert!(Key::from_pem(&pki.read("rsa.key"), None, companions(&pki, "p256", None)).is_err());
}

/// OpenSSL's `ts` as the service.
struct OpenSsl(Pki);

#[async_trait::async_trait]
impl TimeStampService for OpenSsl {
    async fn ask(&self, request: &[u8]) -> Result<Vec<u8>, String> {
        Ok(self.0.stamp("tsa", request))
    }
}

/// Answers whatever it is asked with what it was given.
struct Parrot(Vec<u8>);

#[async_trait::async_trait]
impl TimeStampService for Parrot {
    async fn ask(&self, _: &[u8]) -> Result<Vec<u8>, String> {
        Ok(self.0.clone())
    }
}

#[tokio::test]
async fn a_time_stamp_service_is_asked_and_its_answer_checked() {
    let Some(pki) = Pki::new() else { return };
    pki.certify("rsa", KINDS[0].1, "seal");
    pki.certify("tsa", KINDS[2].1, "tsa");
    let trust = root(&pki);
    let key = || Key::from_pem(&pki.read("rsa.key"), None, companions(&pki, "rsa", None)).expect("a key");
    let plain = sealer(key());
    let service = Arc::new(OpenSsl(pki));
    let pki = &service.0;
    let stamped = plain.clone().with_time_stamps(service.clone());
    let document = stamped.seal(&credential(), today()).await.expect("seals");
    let report = verify_today(&document, &trust);
    assert_eq!((report.verdict(), report.status(Step::TimeStamps)), (Verdict::Trusted, Status::Ok), "{report:#?}");

    // Once the seal's certificate has expired, the time-stamp still proves when it was made.
    let later = today() + SignedDuration::from_hours(24 * 25);
    assert_eq!(verify_at(&document, &trust, later).verdict(), Verdict::Trusted);
    let without = plain.seal(&credential(), today()).await.expect("seals");
    assert_eq!(verify_at(&without, &trust, later).verdict(), Verdict::Untrusted);

    // OpenSSL finds the token to be over the signature, too.
    let document: Value = serde_json::from_slice(&document).expect("JSON");
    let signature = &document["signatures"][0];
    let component = URL_SAFE_NO_PAD.decode(signature["header"]["etsiU"][0].as_str().expect("text")).expect("base64url");
    let component: Value = serde_json::from_slice(&component).expect("JSON");
    let token = STANDARD.decode(component["sigTst"]["tstTokens"][0]["val"].as_str().expect("text")).expect("base64");
    std::fs::write(pki.path("token.der"), &token).expect("writes");
    std::fs::write(pki.path("signature.txt"), signature["signature"].as_str().expect("text")).expect("writes");
    pki.openssl("ts -verify -data signature.txt -token_in -in token.der -CAfile root.pem");

    // A time-stamp of another signature, and one of a certificate that is not for time-stamping, are not taken.
    let answer = pki.read("reply.tsr");
    let answers = [
        (answer, "over other bytes"),
        (b"0\x03\x02\x01\x02".to_vec(), "something else"),
        (vec![0x30, 5, 0x30, 3, 2, 1, 2], "refuses"),
    ];
    // A minute later, for the same credential sealed at the same second has the same signature.
    let later = today() + SignedDuration::from_mins(1);
    for (answer, needle) in answers {
        let parroting = plain.clone().with_time_stamps(Arc::new(Parrot(answer)));
        match parroting.seal(&credential(), later).await {
            Err(NotSealed::Unavailable(problem)) => assert!(problem.message.contains(needle), "{problem}"),
            other => panic!("{needle}: {}", other.is_ok()),
        }
    }
}
