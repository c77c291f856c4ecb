//! Keys, certificates and time-stamps made by OpenSSL, and what it says of ours.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so")]

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Extensions of the certificates that [`Pki`] makes.
const CONFIG: &str = "
[req]
distinguished_name = dn
prompt = no
[dn]
C = FI
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
[seal]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature,nonRepudiation
[tsa]
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[ocsp]
keyUsage = critical,digitalSignature
extendedKeyUsage = OCSPSigning
[register]
database = $ENV::DIR/index.txt
crlnumber = $ENV::DIR/crlnumber
default_md = sha256
default_crl_days = 1
[stamp]
serial = $ENV::DIR/serial
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha384, sha512
ess_cert_id_chain = no
ess_cert_id_alg = sha256
";

/// A certification authority in a private folder, run by the `openssl` command.
#[derive(Debug)]
pub struct Pki {
    folder: tempfile::TempDir,
}

impl Pki {
    /// A new authority: `root.pem`. `None`, said aloud, where there is no `openssl`.
    ///
    /// # Panics
    /// If `openssl` fails, or is missing under `CI=true`.
    #[must_use]
    pub fn new() -> Option<Self> {
        if !crate::has("openssl") {
            return None;
        }
        let pki = Self { folder: tempfile::tempdir().expect("a folder") };
        std::fs::write(pki.path("openssl.cnf"), CONFIG).expect("writes");
        for (name, text) in [("serial", "01\n"), ("index.txt", ""), ("crlnumber", "01\n")] {
            std::fs::write(pki.path(name), text).expect("writes");
        }
        pki.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out root.key");
        pki.openssl("req -x509 -new -key root.key -config openssl.cnf -extensions root -subj /C=FI/CN=Juuri -days 30 -out root.pem");
        Some(pki)
    }

    /// A file in its folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The bytes of a file in its folder.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).expect("reads")
    }

    /// Makes `NAME.key` and `NAME.pem`: `key` is what `genpkey` is told, `section` the extensions.
    ///
    /// # Panics
    /// If `openssl` fails.
    pub fn certify(&self, name: &str, key: &str, section: &str) {
        let subject = format!("/C=FI/O=Esimerkki/organizationIdentifier=VATFI-00000000/CN={name}");
        self.openssl(&format!("genpkey {key} -out {name}.key"));
        self.openssl(&format!("req -new -key {name}.key -config openssl.cnf -subj {subject} -out {name}.csr"));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA root.pem -CAkey root.key -CAcreateserial -days 20 -extfile openssl.cnf \
             -extensions {section} -out {name}.pem"
        ));
    }

    /// Answers a time-stamp request as `NAME`.
    ///
    /// # Panics
    /// If `openssl` fails.
    #[must_use]
    pub fn stamp(&self, name: &str, request: &[u8]) -> Vec<u8> {
        std::fs::write(self.path("query.tsq"), request).expect("writes");
        self.openssl(&format!(
            "ts -reply -config openssl.cnf -section stamp -queryfile query.tsq -signer {name}.pem -inkey {name}.key -out reply.tsr"
        ));
        self.read("reply.tsr")
    }

    /// Adds a section to its configuration.
    ///
    /// # Panics
    /// If that cannot be written.
    pub fn configure(&self, section: &str) {
        let text = std::fs::read_to_string(self.path("openssl.cnf")).expect("reads");
        std::fs::write(self.path("openssl.cnf"), format!("{text}{section}\n")).expect("writes");
    }

    /// Enters `NAME.pem` in the authority's register as valid.
    ///
    /// # Panics
    /// If `openssl` fails.
    pub fn register(&self, name: &str) {
        self.openssl(&format!(
            "ca -config openssl.cnf -name register -cert root.pem -keyfile root.key -valid {name}.pem"
        ));
    }

    /// Revokes `NAME.pem` now.
    ///
    /// # Panics
    /// If `openssl` fails.
    pub fn revoke(&self, name: &str) {
        self.openssl(&format!(
            "ca -config openssl.cnf -name register -cert root.pem -keyfile root.key -revoke {name}.pem"
        ));
    }

    /// The authority's list of revoked certificates, as of now and for a day.
    ///
    /// # Panics
    /// If `openssl` fails.
    #[must_use]
    pub fn revoked(&self) -> Vec<u8> {
        self.openssl("ca -config openssl.cnf -name register -cert root.pem -keyfile root.key -gencrl -out list.pem");
        self.read("list.pem")
    }

    /// What a responder that signs as `BY` says about `NAME.pem`, as of now and for a day.
    ///
    /// # Panics
    /// If `openssl` fails.
    #[must_use]
    pub fn answer(&self, name: &str, by: &str) -> Vec<u8> {
        self.openssl(&format!("ocsp -issuer root.pem -cert {name}.pem -no_nonce -reqout query.ors"));
        self.openssl(&format!(
            "ocsp -index index.txt -CA root.pem -rsigner {by}.pem -rkey {by}.key -ndays 1 -reqin query.ors -respout answer.ors"
        ));
        self.read("answer.ors")
    }

    /// Runs `openssl` in its folder.
    ///
    /// # Panics
    /// If it fails.
    pub fn openssl(&self, arguments: &str) {
        let folder = self.folder.path();
        run(Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).env("DIR", folder));
    }
}

/// Runs a command that has to succeed.
///
/// # Panics
/// If it does not.
pub fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().expect("it starts");
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}
