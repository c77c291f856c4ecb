//! Sealing and verifying from the command line, with keys, tokens and time-stamps that are not our own.

use crate::process::{Done, done, fed, run, silta};
use contract_tests::pki::{self, Pki};
use serde_json::{Value, json};
use silta_adapter::mapping::Mappings;
use silta_seal::key::Companions;
use silta_seal::{Certificate, Key, Sealer, StatusList};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

const RSA: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";

/// A credential as it goes to be sealed.
fn credential() -> Vec<u8> {
    let record = json!({"kind": "attainment", "tenant": "t", "source": "s", "institution": "10122", "id": "A1", "learner": "L1",
        "body": {"title": [{"lang": "en", "value": "Foundations"}], "credits": {"ects": "5"},
            "awarding_body": {"scheme": "virta:organisaatio", "value": "10122"}}});
    fed(&["convert", "--from", "record", "--to", "elm"], record.to_string().as_bytes()).expect(0).out.into_bytes()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// An authority with a seal of this kind of key, and a folder that holds the authority alone.
fn authority(kind: &str) -> Option<(Pki, PathBuf)> {
    let pki = Pki::new()?;
    pki.certify("seal", kind, "seal");
    let anchors = pki.path("anchors");
    std::fs::create_dir(&anchors).expect("a folder");
    std::fs::copy(pki.path("root.pem"), anchors.join("root.pem")).expect("copies");
    Some((pki, anchors))
}

fn seal(pki: &Pki, further: &[&str]) -> Done {
    let (key, certificate) = (pki.path("seal.key"), pki.path("seal.pem"));
    fed(&[&["seal", "--key", text(&key), "--cert", text(&certificate)], further].concat(), &credential())
}

/// The verdict and, by step, the status of each check.
fn verified(args: &[&str], document: &str) -> (i32, Value) {
    let done = fed(&[&["verify", "--json"], args].concat(), document.as_bytes());
    (done.code, serde_json::from_str(&done.out).expect("JSON"))
}

fn status<'a>(report: &'a Value, step: &str) -> &'a Value {
    let checks = report["checks"].as_array().expect("checks");
    &checks.iter().find(|check| check["step"] == step).expect("the step")["status"]
}

#[test]
fn exit_codes_tell_trusted_invalid_and_untrusted_apart() {
    let Some((pki, anchors)) = authority(P256) else { return };
    let document = seal(&pki, &[]).expect(0).out;
    let (code, report) = verified(&["--anchors", text(&anchors)], &document);
    assert_eq!((code, &report["verdict"]), (0, &json!("trusted")), "{report:#}");
    assert_eq!(report["signers"][0]["algorithm"], "ES256");
    assert_eq!(verified(&["--pin", text(&pki.path("seal.pem"))], &document).0, 0);
    let (code, report) = verified(&[], &document);
    assert_eq!((code, &report["verdict"], status(&report, "chain")), (4, &json!("untrusted"), &json!("skipped")));
    let (code, report) = verified(&["--anchors", text(&anchors)], &document.replace("person:1", "person:2"));
    assert_eq!((code, &report["verdict"], status(&report, "signature")), (1, &json!("invalid"), &json!("error")));
    assert_eq!(status(&report, "structure"), "ok");
    let (_, report) = verified(&["--anchors", text(&anchors)], &document);
    assert_eq!((status(&report, "format"), status(&report, "certificate_status")), (&json!("ok"), &json!("skipped")));
    let bare =
        String::from_utf8(credential()).expect("text").replacen("\"displayParameter\"", "\"displayParameters\"", 1);
    let (key, certificate) = (pki.path("seal.key"), pki.path("seal.pem"));
    let sealed = fed(&["seal", "--key", text(&key), "--cert", text(&certificate)], bare.as_bytes()).expect(0).out;
    let (code, report) = verified(&["--anchors", text(&anchors)], &sealed);
    assert_eq!(
        (code, status(&report, "format"), status(&report, "signature")),
        (1, &json!("error"), &json!("ok")),
        "{report:#}"
    );

    let shown = fed(&["verify"], document.as_bytes()).expect(4).out;
    assert!(shown.contains("valid, but not trusted") && shown.contains("no trust anchors were given"), "{shown}");
    run(&["verify", "--anchors", "/nowhere", "-"]).expect(2);
    run(&["verify", "--pin", text(&pki.path("seal.key")), "-"]).expect(2);
    run(&["verify", "/nowhere"]).expect(2);
    run(&["verify", "--nonsense"]).expect(2);
    fed(&["verify", "--max-bytes", "100"], document.as_bytes()).expect(2);
    fed(&["seal", "--key", "/nowhere"], &credential()).expect(2);
    fed(&["seal", "--key", text(&pki.path("seal.key"))], &credential()).expect(2);
}

#[test]
fn who_else_can_read_a_key_is_told() {
    let Some((pki, _)) = authority(P256) else { return };
    let allow = |mode| std::fs::set_permissions(pki.path("seal.key"), PermissionsExt::from_mode(mode)).expect("sets");
    allow(0o644);
    assert!(seal(&pki, &[]).expect(0).err.contains("can be read by others"));
    allow(0o600);
    assert_eq!(seal(&pki, &[]).expect(0).err, "");
}

#[test]
fn a_pkcs12_file_and_a_passphrase_are_enough() {
    let Some((pki, anchors)) = authority(RSA) else { return };
    pki.openssl("pkcs12 -export -in seal.pem -inkey seal.key -passout pass:salaisuus -out seal.p12");
    std::fs::write(pki.path("pass"), "salaisuus\n").expect("writes");
    let (key, pass, output) = (pki.path("seal.p12"), pki.path("pass"), pki.path("sealed.json"));
    let args = ["seal", "--key", text(&key), "--passphrase-file", text(&pass), "--output", text(&output)];
    assert_eq!(fed(&args, &credential()).expect(0).out, "");
    run(&["verify", "--anchors", text(&anchors), text(&output)]).expect(0);
    let wrong = fed(&["seal", "--key", text(&key)], &credential()).expect(2);
    assert!(wrong.err.contains("passphrase"), "{}", wrong.err);
}

/// Answers time-stamp requests over HTTP with OpenSSL, for as long as the test runs.
fn responder(pki: Pki) -> (String, Arc<Mutex<Pki>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/tsa", listener.local_addr().expect("an address"));
    let pki = Arc::new(Mutex::new(pki));
    let answering = Arc::clone(&pki);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a caller");
            let mut read = Vec::new();
            let request = loop {
                let mut chunk = [0; 4096];
                let length = stream.read(&mut chunk).expect("reads");
                read.extend_from_slice(&chunk[..length]);
                let Some(head) = read.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
                let headers = String::from_utf8_lossy(&read[..head]).to_lowercase();
                assert!(headers.contains("content-type: application/timestamp-query"), "{headers}");
                let length = headers.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.expect("a length").parse().expect("a number");
                if read.len() >= head + 4 + length {
                    break read.split_off(head + 4);
                }
            };
            let answer = answering.lock().expect("a lock").stamp("tsa", &request);
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", answer.len());
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&answer)).expect("answers");
        }
    });
    (url, pki)
}

#[test]
fn a_time_stamp_service_makes_it_baseline_t() {
    let Some((pki, anchors)) = authority(RSA) else { return };
    pki.certify("tsa", P256, "tsa");
    let (url, pki) = responder(pki);
    let (key, certificate) = {
        let pki = pki.lock().expect("a lock");
        (pki.path("seal.key"), pki.path("seal.pem"))
    };
    let args = ["seal", "--key", text(&key), "--cert", text(&certificate), "--tsa", &url];
    let document = fed(&args, &credential()).expect(0).out;
    let (code, report) = verified(&["--anchors", text(&anchors)], &document);
    assert_eq!((code, status(&report, "time_stamps")), (0, &json!("ok")), "{report:#}");

    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let args = ["seal", "--key", text(&key), "--cert", text(&certificate), "--tsa", &format!("http://{closed}/")];
    let failed = fed(&args, &credential()).expect(1);
    assert!(failed.out.is_empty() && failed.err.contains("cannot be reached"), "{failed:?}");
}

/// Serves files over HTTP for as long as the test runs: what is there under a path now.
struct Shelf {
    url: String,
    files: Arc<Mutex<BTreeMap<&'static str, Vec<u8>>>>,
}

impl Shelf {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let files = Arc::new(Mutex::new(BTreeMap::<&str, Vec<u8>>::new()));
        let shown = Arc::clone(&files);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut line = String::new();
                let mut request = BufReader::new(&stream);
                request.read_line(&mut line).expect("a request");
                // A connection that is closed with something unread is reset.
                let mut header = String::new();
                while request.read_line(&mut header).is_ok_and(|length| length > 2) {}
                let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                let found = shown.lock().expect("a lock").get(path.as_str()).cloned();
                let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
                let body = found.unwrap_or_default();
                let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).expect("answers");
            }
        });
        Self { url, files }
    }

    fn put(&self, path: &'static str, file: Vec<u8>) {
        self.files.lock().expect("a lock").insert(path, file);
    }
}

/// A status list sealed with `NAME.key`, as of now and for an hour.
#[expect(clippy::disallowed_methods, reason = "certificates of another program are valid by the machine's clock")]
fn sealed_list(pki: &Pki, name: &str, list: &StatusList) -> Vec<u8> {
    let now = jiff::Timestamp::now();
    let credential = list.credential("urn:issuer", now, now + jiff::SignedDuration::from_hours(1)).expect("a list");
    let certificates = Certificate::from_file(&pki.read(&format!("{name}.pem"))).expect("a certificate");
    let with = Companions { certificates, algorithm: None };
    let key = Key::from_pem(&pki.read(&format!("{name}.key")), None, with).expect("a key");
    let mappings = Arc::new(Mappings::builtin().expect("mappings"));
    Sealer::new(key, mappings).seal_list(&credential, now).expect("seals")
}

#[test]
fn online_asks_where_the_credential_and_its_certificate_say() {
    let Some((pki, anchors)) = authority(P256) else { return };
    let shelf = Shelf::new();
    let points = format!("crlDistributionPoints = URI:{}/crl", shelf.url);
    pki.configure(&format!("[listed]\nkeyUsage = critical,digitalSignature\n{points}"));
    pki.certify("seal", P256, "listed");
    pki.certify("stranger", P256, "seal");
    pki.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out alone.key");
    let subject = "/C=FI/O=Esimerkki/organizationIdentifier=VATFI-00000000/CN=alone";
    pki.openssl(&format!(
        "req -x509 -new -key alone.key -config openssl.cnf -extensions seal -subj {subject} -out alone.pem"
    ));
    pki.register("seal");

    let mut list = StatusList::new(format!("{}/status", shelf.url), "revocation", 1);
    let mut credential: Value = serde_json::from_slice(&credential()).expect("JSON");
    credential["credentialStatus"] = list.entry(5);
    let (key, certificate) = (pki.path("seal.key"), pki.path("seal.pem"));
    let args = ["seal", "--key", text(&key), "--cert", text(&certificate)];
    let document = fed(&args, credential.to_string().as_bytes()).expect(0).out;
    let found = |args: &[&str]| {
        let (code, report) = verified(&[&["--anchors", text(&anchors)], args].concat(), &document);
        let status = |step| status(&report, step).as_str().expect("a status").to_owned();
        (code, status("status"), status("certificate_status"))
    };
    let expected = |code: i32, list: &str, certificate: &str| (code, list.to_owned(), certificate.to_owned());

    shelf.put("/status", sealed_list(&pki, "seal", &list));
    shelf.put("/crl", pki.revoked());
    assert_eq!(found(&[]), expected(0, "skipped", "skipped"), "nobody is asked without being told to");
    assert_eq!(found(&["--online"]), expected(0, "ok", "ok"));
    std::fs::write(pki.path("list.json"), sealed_list(&pki, "seal", &list)).expect("writes");
    let (file, crl) = (pki.path("list.json"), pki.path("list.pem"));
    assert_eq!(found(&["--status", text(&file), "--crl", text(&crl)]), expected(0, "ok", "ok"), "the same offline");

    list.set(5, true);
    shelf.put("/status", sealed_list(&pki, "seal", &list));
    assert_eq!(found(&["--online"]), expected(1, "error", "ok"));
    list.set(5, false);
    // Of the same name, but of nobody who is trusted.
    shelf.put("/status", sealed_list(&pki, "alone", &list));
    assert_eq!(found(&["--online"]), expected(0, "skipped", "ok"));
    shelf.put("/status", sealed_list(&pki, "stranger", &list));
    assert_eq!(found(&["--online"]), expected(0, "ok", "ok"), "a later certificate of the same holder");
    shelf.put("/status", b"{}".to_vec());
    let done = fed(&["verify", "--online", "--anchors", text(&anchors)], document.as_bytes()).expect(0);
    assert!(done.err.contains("the status list http://127.0.0.1") && done.out.contains("no status list"), "{done:?}");

    pki.revoke("seal");
    shelf.put("/crl", pki.revoked());
    assert_eq!(found(&["--online"]), expected(1, "skipped", "error"));
    assert_eq!(found(&["--crl", text(&crl)]), expected(1, "skipped", "error"));
    run(&["verify", "--crl", text(&pki.path("seal.pem")), "-"]).expect(2);
}

#[test]
fn a_key_may_stay_in_a_token() {
    const MODULES: [&str; 3] = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    ];
    if !contract_tests::has("softhsm2-util") {
        return;
    }
    let Some((pki, anchors)) = authority(RSA) else { return };
    pki.certify("curve", P256, "seal");
    let module = MODULES.iter().find(|file| Path::new(file).exists()).expect("the library of softhsm2");
    let config = pki.path("softhsm2.conf");
    std::fs::create_dir(pki.path("tokens")).expect("a folder");
    std::fs::write(&config, format!("directories.tokendir = {}\n", pki.path("tokens").display())).expect("writes");
    std::fs::write(pki.path("pin"), "1234\n").expect("writes");
    let softhsm = |arguments: &str| {
        pki::run(Command::new("softhsm2-util").args(arguments.split_whitespace()).env("SOFTHSM2_CONF", &config));
    };
    softhsm("--init-token --free --label Sinetit --so-pin 123456 --pin 1234");
    for (name, id, algorithm) in [("seal", "01", "RS256"), ("seal", "01", "PS256"), ("curve", "02", "ES256")] {
        if algorithm != "PS256" {
            let key = pki.path(&format!("{name}.key"));
            softhsm(&format!("--import {} --token Sinetit --label {name} --id {id} --pin 1234", key.display()));
        }
        let pin = pki.path("pin");
        let uri = format!("pkcs11:token=Sinetit;object={name}?module-path={module}&pin-source=file:{}", text(&pin));
        let certificate = pki.path(&format!("{name}.pem"));
        let mut command = silta(&["seal", "--key", &uri, "--cert", text(&certificate), "--algorithm", algorithm]);
        command.env("SOFTHSM2_CONF", &config);
        let document = done(command, credential()).expect(0).out;
        let (code, report) = verified(&["--anchors", text(&anchors)], &document);
        assert_eq!((code, &report["signers"][0]["algorithm"]), (0, &json!(algorithm)), "{report:#}");
    }
}
