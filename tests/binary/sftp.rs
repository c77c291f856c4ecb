//! A gateway that dies while it uploads to a real OpenSSH server.

use crate::process::until;
use crate::site::{Site, TENANT, attainment, learner};
use crate::sshd::{Proxy, Sshd, is_there};
use serde_json::json;
use silta_virta::sandbox::{Sandbox, SandboxOptions};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::mpsc::channel;

/// So many that a load does not fit into what the first connection carries.
const MANY: usize = 1500;

fn configure(site: &Site, server: &Sshd, address: SocketAddr) {
    let id = Command::new("id").arg("-un").output().expect("id");
    let user = String::from_utf8(id.stdout).expect("UTF-8");
    site.configure(&format!(
        "[[connection]]\nname = 'virta'\ntenant = '{TENANT}'\nadapter = 'virta'\n[connection.settings.sftp]\n\
         host = '{}'\nport = {}\nuser = '{}'\nkey_file = '{}'\nhost_key = '{}'\ndirectory = '{}'\n",
        address.ip(),
        address.port(),
        user.trim(),
        server.path("user_key").display(),
        server.host_key().trim(),
        server.path("inbox").display(),
    ));
}

#[test]
fn a_gateway_killed_while_it_uploads_leaves_nothing_half_taken_and_sends_everything_again() {
    if !is_there() {
        return;
    }
    let server = Sshd::start();
    let options = SandboxOptions { sftp_log: Some(server.path("sftp.log")), ..SandboxOptions::new(server.dir.path()) };
    let store = Sandbox::open(options).expect("a store");
    let (cut, was_cut) = channel();
    let (go_on, may_go_on) = channel::<()>();
    // The first connection is lost in the middle of the load; the gateway dies while it tries the second.
    let proxy = Proxy::start(server.address, move |number| match number {
        0 => 200_000,
        1 => {
            cut.send(()).expect("heard");
            may_go_on.recv().expect("told");
            u64::MAX
        }
        _ => u64::MAX,
    });
    let site = Site::new();
    configure(&site, &server, proxy.address);
    let token = site.token("admin", "admin");
    let gateway = site.serve(&token);
    let many: String = (0..MANY).map(|n| attainment(&format!("A{n}"))).collect();
    gateway.push(&site.file("many.ndjson", &(learner() + &many)), &[]).expect(0);
    let held = until("the first load is held", || gateway.ask("/v1/loads?held=true", None)["loads"][0]["id"].as_i64());
    gateway.ask(&format!("/v1/loads/{held}/release"), Some(json!({})));
    was_cut.recv().expect("the connection was lost in the middle of the load");
    drop(gateway);
    go_on.send(()).expect("heard");

    until("the server closed what was left", || server.log().contains("forced close").then_some(()));
    let taken = store.tick().expect("ticked");
    assert!(taken.iter().all(|load| load.generation.is_none()), "nothing half taken: {taken:?}");
    let gateway = site.serve(&token);
    gateway.wait("everything was sent again", |figures| figures["debts"]["sent"] == MANY + 1);
    let loads = gateway.ask("/v1/loads", None);
    assert_eq!(loads["loads"][0]["status"], "delivered", "{loads}");
    assert!(loads["loads"][1]["status"] == "failed", "what was cut off is known to have failed: {loads}");
    let taken = store.tick().expect("ticked");
    let whole: Vec<_> = taken.iter().filter_map(|load| load.generation).collect();
    assert_eq!(whole, [1], "one whole load: {taken:?}");
    let held = std::fs::read_dir(server.path("store")).expect("a directory").next().expect("a document").expect("read");
    let held = std::fs::read_to_string(held.path()).expect("a document");
    assert_eq!(held.matches("<Opintosuoritus ").count(), MANY);
    gateway.stop();
}
