//! Days pass for a whole network at once: certificates of three days are renewed while weeks go by, and whoever did not
//! renew is refused by everybody, in the handshake.

use iog_client::ClientError;
use iog_home::renewal::Renewal;
use iog_home::{Home, connect};
use iog_machine::error::chain;
use iog_protocol::ids::Digest;
use iog_protocol::run::Outcome;
use iog_transport::ca::LEAF_SECONDS;

use crate::harness::caller::Caller;
use crate::harness::net::{ASKER, Net};
use crate::harness::play;
use crate::harness::settings::{TRACEBACK, traceback};

const NORTH: &str = "as64500";
const SOUTH: &str = "as64501";

/// Two gateways that offer the traceback.
async fn stage() -> (Net, Digest) {
    let mut net = Net::of(&[NORTH, SOUTH], &[ASKER]).await;
    let module = net.publish(&TRACEBACK).await;
    for provider in [NORTH, SOUTH] {
        net.start(provider, &traceback()).await;
    }
    (net, module)
}

/// What a caller gets of a gateway today.
async fn ask(net: &Net, caller: &Caller, (gateway, module): (&str, Digest)) -> Result<Outcome, ClientError> {
    let run = caller.sign(caller.ask(gateway, module));
    match caller.gateway(net.address(gateway)).run(&run, &caller.token, 60).await? {
        iog_client::RunReply::Ended(answer) => Ok(answer.outcome),
        iog_client::RunReply::Running(status) => panic!("the run takes too long: {status:?}"),
    }
}

/// The server's certificate has ended, and the client finds it in the handshake.
fn ended<T: std::fmt::Debug>(answer: Result<T, impl std::error::Error>) {
    let error = chain(&answer.expect_err("a certificate has ended")).to_lowercase();
    assert!(error.contains("certificate expired"), "{error}");
}

/// The server does not admit the certificate shown to it. It may close before its alert is read.
fn not_admitted<T: std::fmt::Debug>(answer: Result<T, impl std::error::Error>) {
    let error = chain(&answer.expect_err("a certificate has ended")).to_lowercase();
    assert!(error.contains("certificateexpired") || error.contains("broke off"), "{error}");
}

#[test]
fn weeks_of_renewals() {
    play(async {
        let (net, module) = stage().await;
        let caller = Caller::of(&net, ASKER).await;
        for gateway in [NORTH, SOUTH] {
            assert_eq!(ask(&net, &caller, (gateway, module)).await.expect("day 0"), Outcome::Succeeded);
        }
        // South's gateway runs on and does not renew. The first client keeps the certificate of day 0, too.
        for days in [4, 30] {
            net.advance(days, &[SOUTH]).await;
            let today = Caller::of(&net, ASKER).await;
            assert_eq!(ask(&net, &today, (NORTH, module)).await.expect("all are renewed"), Outcome::Succeeded);
            ended(ask(&net, &today, (SOUTH, module)).await);
            not_admitted(ask(&net, &caller, (NORTH, module)).await);

            // Nor does South get in anywhere, not even where it could renew.
            let home = Home::open(&net.home_of(SOUTH)).expect("a home");
            let clock = today.clock.clone();
            let http = connect::http(&home, &clock).expect("well formed");
            let south = Caller { http: http.clone(), home: home.clone(), ..today.clone() };
            not_admitted(south.gateway(net.address(NORTH)).health().await);
            let center = connect::center(&home, &http);
            let renewal = Renewal { home: &home, http: &http, center: &center, server: None };
            not_admitted(renewal.renew_if_due(&http.tls().leaf().expect("it shows one"), net.now()).await);
        }
        net.close().await;
    });
}

#[test]
fn a_leap_past_every_certificate() {
    play(async {
        let (net, module) = stage().await;
        let caller = Caller::of(&net, ASKER).await;
        net.clock.advance(LEAF_SECONDS - 60);
        net.background(NORTH).sync().await;
        let at_the_end = Caller::of(&net, ASKER).await;
        assert_eq!(ask(&net, &at_the_end, (NORTH, module)).await.expect("still"), Outcome::Succeeded);
        // Not even a connection that is open is used on.
        net.clock.advance(61);
        ended(ask(&net, &at_the_end, (NORTH, module)).await);
        net.advance(30, &[]).await;
        ended(ask(&net, &caller, (SOUTH, module)).await);
        // The center renews itself, so that others reach it; members whose certificate has ended enroll again.
        assert_eq!(net.registry().await.domains(net.now()).count(), 3);
        net.close().await;
    });
}
