//! The center's certificate authority was stolen, and root replaces it through the log while everybody goes on: three
//! keysets, after the last of which no certificate of the stolen authority is worth anything, in new connections and in
//! those that are open.

use iog_center::{CenterConfig, Standing, next_authority};
use iog_client::{CenterClient, ClientError, Remote};
use iog_desk::decide::keyset::KeysetDecision;
use iog_home::{Home, connect};
use iog_protocol::ids::Digest;
use iog_protocol::registry::Registry;
use iog_protocol::run::Outcome;
use iog_protocol::statements::Statement;
use iog_transport::ca::{Ca, Validity};

use crate::harness::caller::{Caller, alert};
use crate::harness::evil::StolenKeys;
use crate::harness::net::{ASKER, Net, PROVIDER};
use crate::harness::play;

/// Root puts a keyset with these authorities into force, and everybody hears of it.
async fn name(net: &Net, authorities: &[Digest]) {
    let mut link = net.world.link().expect("a link");
    let registry = link.registry().await.expect("the center answers");
    let decision = KeysetDecision {
        remove_auditors: Vec::new(),
        add_auditors: Vec::new(),
        remove_publishers: Vec::new(),
        add_publishers: Vec::new(),
        approval: Vec::new(),
        token: Vec::new(),
        authorities: authorities.to_vec(),
        expires: net.now().plus_days(30),
    };
    let next = decision.after(registry.keyset()).expect("it fits");
    let statement = Statement::new(registry.genesis_digest(), next);
    let envelope = statement.sign(&[&net.world.parties.root]).expect("root signs");
    link.center.post_statement(envelope.to_json()).await.expect("the center takes it").logged().expect("in force");
    net.world.step_center();
}

/// What somebody with the keys of an authority gets of the center with a certificate in a member's name.
async fn with_stolen(net: &Net, keys: &StolenKeys) -> Result<(), ClientError> {
    let identity = keys.identity(ASKER, Validity::leaf(net.now().unix()));
    // It goes on with whatever the center shows: only what the center makes of the thief's certificate counts.
    let http = keys.client(identity);
    http.tls().follow_authorities(&net.registry().await.keyset().authorities());
    let center = Home::open(&net.home_of(ASKER)).expect("a home").domain_file().center.clone();
    let center = CenterClient::new(Remote::new(http, &center));
    center.token().await.map(drop)
}

/// The authority that follows the stolen one.
fn following(net: &Net) -> Ca {
    let read = |name: &str| std::fs::read_to_string(net.center_folder().join(name)).expect("it was made");
    Ca::load(&read("ca-next.pem"), &read("keys/ca-next.pem")).expect("its key")
}

async fn everybody_goes_on(net: &Net, module: Digest) {
    net.step(PROVIDER).await;
    let caller = Caller::of(net, ASKER).await;
    let outcome = caller.outcome(net.address(PROVIDER), caller.ask(PROVIDER, module)).await.expect("an answer");
    assert_eq!(outcome, Outcome::Succeeded);
}

/// The caller's certificate under the authority that issues now, as its next call would get it.
async fn renew(net: &Net) {
    let home = Home::open(&net.home_of(ASKER)).expect("a home");
    let machine =
        iog_machine::Machine { clock: net.clock.clone(), entropy: std::sync::Arc::new(iog_machine::OsEntropy) };
    iog_home::session::Session::open(&home, &machine).await.expect("a session renews on the way");
}

#[test]
fn it_is_replaced_through_the_log() {
    play(async {
        let (mut net, module) = Net::usual().await;
        let trust_domain = net.registry().await.founding().trust_domain.clone();
        let stolen = StolenKeys::of(&net, &trust_domain);
        with_stolen(&net, &stolen).await.expect("until then whoever has the authority is any member, to the transport");
        let open = Caller::of(&net, ASKER).await;

        let config = CenterConfig::load(&net.center_folder().join("center.toml")).expect("the center's configuration");
        let held = |now| next_authority(&config, now).expect("both are there");
        let [old, new] = held(net.now())[..] else { panic!("two") };
        assert_eq!((old.standing, new.standing), (Standing::Named, Standing::Next));
        let (old, new) = (old.digest, new.digest);
        net.world.stop_center().await.expect("it stops");
        net.world.start_center().await.expect("it starts with both");
        everybody_goes_on(&net, module).await;

        name(&net, &[old, new]).await;
        everybody_goes_on(&net, module).await;
        name(&net, &[new, old]).await;
        everybody_goes_on(&net, module).await;
        renew(&net).await;
        net.step(PROVIDER).await;
        everybody_goes_on(&net, module).await;
        with_stolen(&net, &stolen).await.expect("both count during the overlap");
        let follow = |registry: &Registry| open.http.tls().follow_authorities(&registry.keyset().authorities());
        follow(&*net.registry().await);
        connect::center(&open.home, &open.http).health().await.expect("so does a certificate of before");
        open.gateway(net.address(PROVIDER)).health().await.expect("at a gateway too");

        name(&net, &[new]).await;
        let said = alert(async || with_stolen(&net, &stolen).await).await;
        assert!(said.contains("unknownca"), "it does not count any more: {said}");
        // The same with the keys of the one that does count: only whose certificate it is makes the difference.
        with_stolen(&net, &StolenKeys { ca: following(&net), ..StolenKeys::of(&net, &trust_domain) })
            .await
            .expect("who has this authority is any member, to the transport");
        everybody_goes_on(&net, module).await;
        // At the gateway, too: neither in a new connection nor in the one that the old certificate has open.
        let identity = stolen.identity(ASKER, Validity::leaf(net.now().unix()));
        let thief = Caller { http: stolen.client(identity), ..Caller::of(&net, ASKER).await };
        thief.http.tls().follow_authorities(&net.registry().await.keyset().authorities());
        let said = alert(async || thief.gateway(net.address(PROVIDER)).health().await).await;
        assert!(said.contains("unknownca"), "not let in: {said}");
        follow(&*net.registry().await);
        let said = alert(async || open.gateway(net.address(PROVIDER)).health().await).await;
        assert!(said.contains("unknownca"), "its certificate is the old authority's: {said}");
        let [was, is] = held(net.now())[..] else { panic!("two") };
        assert_eq!((was.standing, is.standing), (Standing::Retired, Standing::Named));

        // A newcomer meets the new one, and the center starts again without the old one being named.
        net.world.stop_center().await.expect("it stops");
        net.world.start_center().await.expect("it starts");
        everybody_goes_on(&net, module).await;
        net.close().await;
    });
}

#[test]
fn nobody_renews_over_and_over_while_the_center_lacks_the_authority_that_is_named_first() {
    play(async {
        let (net, module) = Net::usual().await;
        let config = CenterConfig::load(&net.center_folder().join("center.toml")).expect("the center's configuration");
        // Made, but the center was not started again with it.
        let [old, new] = next_authority(&config, net.now()).expect("it is made")[..] else { panic!("two") };
        name(&net, &[new.digest, old.digest]).await;
        let certificate = |domain: &str| {
            Home::open(&net.home_of(domain)).expect("a home").tls().expect("it has a certificate").cert_pem
        };
        let before = (certificate(PROVIDER), certificate(ASKER), shown(&net).await);
        for _ in 0..3 {
            net.world.step_center();
            net.step(PROVIDER).await;
            renew(&net).await;
        }
        assert_eq!((certificate(PROVIDER), certificate(ASKER), shown(&net).await), before, "all are under the old one");
        everybody_goes_on(&net, module).await;
        net.close().await;
    });
}

/// The certificate that the center shows to a new connection.
async fn shown(net: &Net) -> [u8; 32] {
    let home = Home::open(&net.home_of(ASKER)).expect("a home");
    let http = connect::http(&home, &(net.clock.clone() as std::sync::Arc<dyn iog_machine::Clock>)).expect("TLS");
    let url = format!("https://{}/healthz", home.domain_file().center);
    let answer = http.send(iog_transport::Request::get(url)).await.expect("the center answers");
    answer.peer.expect("it shows a certificate").leaf_sha256
}
