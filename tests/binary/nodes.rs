//! Several processes on one PostgreSQL database, and the way of an embedded store into one.

use crate::process::{Process, run, silta, until};
use crate::serve::{World, proved};
use crate::site::{Site, attainment, fixture};
use silta_ledger_postgres::throwaway::{Database, Server};
use sqlx::{Connection, PgConnection, SqliteConnection};

/// A database without tables.
fn database() -> Database {
    runtime().block_on(Database::blank())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A further completion of the first learner of the sample institution, as a line.
fn completion(id: &str) -> String {
    attainment(id).replace(r#""learner":"L1""#, r#""learner":"KAR-1""#)
}

fn worker(site: &Site) -> Process {
    let mut worker = Process::start(&["worker", "--config", &site.config()]);
    worker.err.wait_for("\"working\"");
    worker
}

#[test]
fn three_processes_on_one_database_do_everything_once() {
    let database = database();
    let world = World::at(Site::shared(&database));
    let second = world.site.serve(&world.gateway.token);
    let mut third = worker(&world.site);
    world.established();
    let loads = second.ask("/v1/loads", None);
    let delivered = loads["loads"].as_array().expect("loads").iter().filter(|l| l["status"] == "delivered").count();
    assert_eq!(delivered, 1, "{loads}");
    let doctor = run(&["doctor", "--config", &world.site.config()]).expect(0).out;
    assert!(doctor.contains("store: whole"), "{doctor}");
    third.signal("TERM");
    assert_eq!(third.end(), 0);
    second.stop();
}

#[test]
fn a_dump_of_a_database_is_restored() {
    let (database, again) = (database(), database());
    let world = World::at(Site::shared(&database));
    world.established();
    let dump = world.site.path("silta.dump");
    // The gateway runs on while it is dumped.
    server(&["pg_dump", "--format=custom", "--file", &dump, database.url()]);
    server(&["pg_restore", "--exit-on-error", "--no-owner", "--dbname", again.url(), &dump]);
    is_restored(world, again.url());
}

#[test]
fn a_copy_of_an_embedded_store_is_restored() {
    let world = World::at(Site::new());
    world.established();
    let copy = world.site.path("copy.db");
    runtime().block_on(async {
        let mut store = SqliteConnection::connect(&world.site.store).await.expect("opens");
        sqlx::query("VACUUM INTO ?").bind(&copy).execute(&mut store).await.expect("copied");
    });
    is_restored(world, &format!("sqlite:{copy}"));
}

/// What a backup holds is there again, and the gateway goes on with it.
#[track_caller]
fn is_restored(mut world: World, backup: &str) {
    let before = world.gateway.feed();
    let token = world.gateway.token.clone();
    world.site.store = backup.to_owned();
    world.site.configure(&world.connection);
    run(&["doctor", "--config", &world.site.config()]).expect(0);
    world.gateway = world.site.serve(&token);
    assert_eq!(world.gateway.feed(), before);
    world.gateway.silta(&["reconcile", "virta"]).expect(0);
    world.gateway.push(&world.site.file("new.ndjson", &completion("NEW")), &[]).expect(0);
    proved(&world.gateway);
}

/// Runs a program of the database's.
fn server(command: &[&str]) {
    let programs = silta_ledger_postgres::throwaway::programs();
    let status = std::process::Command::new(programs.join(command[0])).args(&command[1..]).status();
    assert!(status.expect("it runs").success(), "{command:?}");
}

/// Applies a migration this version does not know to a running store: of its own thousand, or of a later one.
fn migrated_by_another(database: &Database, version: i64) {
    runtime().block_on(async {
        let mut store = PgConnection::connect(database.url()).await.expect("connects");
        let steps = "ALTER TABLE debt ADD COLUMN later text NOT NULL DEFAULT 'x';
            ALTER TABLE record ADD COLUMN later bigint;
            ALTER TABLE lane ADD COLUMN later bigint NOT NULL DEFAULT 7;
            CREATE TABLE later (id bigint PRIMARY KEY);
            CREATE INDEX debt_later ON debt (later);";
        sqlx::raw_sql(steps).execute(&mut store).await.expect("added");
        let noted = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES ($1, 'later', true, '', 0)";
        sqlx::query(noted).bind(version).execute(&mut store).await.expect("noted");
    });
}

/// An update: the tables get what the next version adds while this one works on them, and both go on.
#[test]
fn a_newer_form_is_worked_on_while_it_only_adds() {
    let database = database();
    let world = World::at(Site::shared(&database));
    world.established();
    migrated_by_another(&database, 999);
    world.gateway.push(&world.site.file("new.ndjson", &completion("NEW")), &[]).expect(0);
    proved(&world.gateway);
    let other = world.site.serve(&world.gateway.token);
    other.push(&world.site.file("newer.ndjson", &completion("NEWER")), &[]).expect(0);
    proved(&other);
    run(&["doctor", "--config", &world.site.config()]).expect(0);
    assert_eq!(run(&["migrate", "--config", &world.site.config()]).expect(0).out, "nothing to do\n");
    other.stop();
}

#[test]
fn a_form_that_took_something_away_is_left_alone() {
    let database = database();
    let site = Site::shared(&database);
    migrated_by_another(&database, 1_001);
    for command in ["serve", "worker", "migrate", "doctor"] {
        let refused = run(&[command, "--config", &site.config()]);
        assert!(refused.code != 0 && (refused.out + &refused.err).contains("newer version"), "{command}");
    }
}

/// Whoever is ahead of the tables waits for them: it serves once they were migrated, and not before.
#[test]
fn a_version_ahead_of_the_tables_does_not_start() {
    let database = database();
    let site = Site { store: database.url().to_owned(), ..Site::bare() };
    site.configure("");
    let refused = run(&["serve", "--config", &site.config()]).expect(1).err;
    assert!(refused.contains("run `silta migrate` first"), "{refused}");
    run(&["migrate", "--config", &site.config()]).expect(0);
    site.serve("").stop();
}

/// While the database is away requests are told to come again; when it is back, everything goes on by itself.
#[test]
fn a_database_that_restarts_is_waited_for() {
    let server = Server::new();
    let world = World::at(Site::on(&server.url()));
    world.established();
    let records = world.site.file("new.ndjson", &completion("NEW"));
    server.stop();
    for path in ["/v1/feed", "/v1/connections", "/readyz"] {
        assert_eq!(world.gateway.status(path), (503, Some("5".to_owned())), "{path}");
    }
    let refused = world.gateway.push(&records, &[]);
    assert!(refused.code != 0 && refused.err.contains("the store is away"), "{refused:?}");
    assert_eq!(world.gateway.status("/healthz").0, 200, "the process lives");
    server.start();
    until("it takes records again", || (world.gateway.push(&records, &[]).code == 0).then_some(()));
    proved(&world.gateway);
    assert_eq!(world.gateway.feed().len(), 13, "what was told to come again was not kept before");
}

/// Whatever was acknowledged arrives, whoever dies.
#[test]
fn killed_processes_lose_nothing() {
    let database = database();
    let mut world = World::at(Site::shared(&database));
    let second = world.site.serve(&world.gateway.token);
    let third = worker(&world.site);
    world.established();
    for n in 0..10 {
        let file = world.site.file(&format!("{n}.ndjson"), &completion(&format!("A-{n}")));
        let through = if n < 5 && n % 2 == 0 { &world.gateway } else { &second };
        through.push(&file, &[]).expect(0);
        if n == 4 {
            world.gateway.process.signal("KILL");
        }
        if n == 7 {
            third.signal("KILL");
        }
    }
    world.gateway = second;
    proved(&world.gateway);
    let feed = world.gateway.feed();
    assert_eq!(feed.len(), 12 + 10, "each change is told once: {feed:?}");
    let positions: Vec<i64> = feed.iter().filter_map(|line| line["position"].as_i64()).collect();
    assert!(positions.windows(2).all(|pair| pair[0] < pair[1]), "{positions:?}");
    let compared = world.gateway.silta(&["reconcile", "virta"]).expect(0).out;
    assert!(compared.contains("items: 22 (as they should be: 22)"), "{compared}");
    world.gateway.silta(&["findings"]).expect(0);
}

#[test]
fn an_embedded_store_is_moved_whole() {
    let database = database();
    let World { mut site, gateway, store: _store, connection, .. } = {
        let world = World::at(Site::new());
        world.established();
        world
    };
    let before = gateway.feed();
    let token = gateway.token.clone();
    gateway.stop();
    let moved = |site: &Site| {
        let mut command = silta(&["migrate", "--config", &site.config()]);
        command.env("SILTA_MIGRATE_TO", database.url());
        crate::process::done(command, Vec::new())
    };
    let told = moved(&site).expect(0).out;
    assert!(told.lines().any(|line| line.starts_with("record ") && line.contains("12 rows, the same")), "{told}");
    let refused = run(&["serve", "--config", &site.config()]).expect(1).err;
    assert!(refused.contains("moved into another database"), "{refused}");
    assert!(moved(&site).expect(1).err.contains("not empty"));

    site.store = database.url().to_owned();
    site.configure(&connection);
    run(&["doctor", "--config", &site.config()]).expect(0);
    let gateway = site.serve(&token);
    assert_eq!(gateway.feed(), before, "readers go on where they were");
    assert_eq!(gateway.figures()["backlog"], 0, "nothing is owed again");
    gateway.silta(&["reconcile", "virta"]).expect(0);
    let pushed = gateway.push(&fixture("02469.xml"), &["--from", "virta"]).expect(0);
    assert_eq!(pushed.out, "unchanged: 12\n");
    gateway.push(&site.file("new.ndjson", &completion("NEW")), &[]).expect(0);
    gateway.wait("it is sent", |figures| figures["backlog"] == 0);
    let loads = gateway.ask("/v1/loads", None);
    assert_eq!(
        loads["loads"].as_array().map(|loads| loads.iter().filter(|l| l["status"] == "delivered").count()),
        Some(2)
    );
}
