//! A run whose data nobody can look at to their end.

use std::time::Duration;

use iog_protocol::run::Outcome;

use super::Gateway;
use crate::config::QuotaConfig;
use crate::runs::under_way::Stage;
use crate::services::Service;
use crate::testkit::{self, hello, id, request};

/// The `hello` analysis over a database whose file has been replaced by a pipe, which nobody can look at to its end.
async fn stuck(gateway: &Gateway) -> Service {
    use sqlx::{ConnectOptions as _, Connection as _};
    let path = gateway.folder.path().join("flows.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    let create = "CREATE TABLE flows (id INTEGER PRIMARY KEY, \"start\" INTEGER, \"end\" INTEGER, src TEXT, dst TEXT, \
                  proto INTEGER, packets INTEGER, bytes INTEGER, ingress_as INTEGER)";
    sqlx::query(create).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let (format, unit) = (crate::config::DatasetFormat::Sqlite, crate::config::TimestampUnit::Seconds);
    let config = crate::config::DatasetConfig::file("flow/1", path.clone(), format, unit);
    let config = crate::config::DatasetConfig { table: Some("flows".into()), order_by: vec!["id".into()], ..config };
    let mut service = Service::new("hello".parse().unwrap(), super::config(QuotaConfig::default()));
    service.prepared = Ok(testkit::prepared_on(&gateway.parts.lifecycle.executor.sandbox, &config).await.unwrap());
    std::fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    service
}

#[tokio::test]
async fn a_run_is_stopped_while_its_data_are_looked_at() {
    let gateway = Gateway::new(QuotaConfig::default()).await;
    let path = gateway.folder.path().join("flows.db");
    gateway.parts.submitter.services.replace([stuck(&gateway).await]);
    let parts = gateway.parts.clone();
    let stop = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let run = parts.lifecycle.under_way.find(&id("caller"), &request(1).request_id).unwrap();
        assert_eq!(*run.watch().borrow(), Stage::Running { percent: 0 });
        parts.lifecycle.under_way.stop_unless(|module| *module != hello());
    });
    let begun = std::time::Instant::now();
    let (answer, _) = gateway.answer(&request(1)).await;
    let took = begun.elapsed();
    stop.await.unwrap();
    // Lets go of the thread that waits for the other end of the pipe.
    tokio::task::spawn_blocking(move || std::fs::File::options().write(true).open(path)).await.unwrap().unwrap();
    assert_eq!(answer.outcome, Outcome::Cancelled);
    assert!(took < Duration::from_secs(5), "the run's wall time is longer");
}
