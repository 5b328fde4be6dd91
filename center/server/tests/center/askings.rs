//! A member that asks without end for what is not in the log: it is told when to come back, others go on, and whoever copied a
//! certificate uses up nothing that its domain may ask for.

use http::{StatusCode, header};
use iog_protocol::{
    api::{ApiErrorCode, CatalogPublished, CertificateAnswer, ModuleSubmitted, paths},
    catalog::{Descriptor, ServiceState},
};
use iog_transport::{Response, ca};

use crate::common::{Member, Module, World, created, key, refused};
use crate::renewal::{body, order};
use crate::story::{descriptor, publish};

/// Asks up to so many times; how many were answered, and the refusal that says when to come back.
async fn ask_on(times: usize, mut ask: impl AsyncFnMut(usize) -> Response) -> usize {
    for time in 0..times {
        let answer = ask(time).await;
        if answer.status != StatusCode::TOO_MANY_REQUESTS {
            assert!(answer.status.is_success(), "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
            continue;
        }
        let said = refused(&answer, ApiErrorCode::RateLimited);
        assert!(said.contains("come back in"), "{said}");
        let seconds: u64 = answer.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!((1..=300).contains(&seconds), "{seconds}");
        return time;
    }
    panic!("{times} were answered")
}

async fn renew(world: &World, member: &Member) -> Response {
    let csr = ca::csr_pem(&member.tls_key).unwrap();
    let request = body(&csr, &order(&member.id, &csr), &[&member.caller]);
    member.post(world, paths::CERTIFICATES, "application/json", request).await
}

#[tokio::test]
async fn certificates_have_a_rate_that_a_thief_of_one_does_not_use_up() {
    let world = World::new().await;
    let (one, two) = (world.member("as1", 31).await, world.member("as2", 33).await);
    let csr = ca::csr_pem(&one.tls_key).unwrap();
    for _ in 0..100 {
        let stolen = body(&csr, &order("as1", &csr), &[&key(99)]);
        let answer = one.post(&world, paths::CERTIFICATES, "application/json", stolen).await;
        refused(&answer, ApiErrorCode::SignatureInvalid);
    }
    let passed = ask_on(200, async |_| renew(&world, &one).await).await;
    assert!((64..70).contains(&passed), "{passed}");
    created::<CertificateAnswer>(&renew(&world, &two).await);
}

#[tokio::test]
async fn the_catalog_has_a_rate_that_old_descriptors_do_not_use_up() {
    let world = World::new().await;
    let (one, two) = (world.member("as1", 31).await, world.member("as2", 33).await);
    let module = Module::load("hello");
    created::<ModuleSubmitted>(&module.submit(&world).await);
    let first = descriptor(&module, "as1", 1, ServiceState::Published);
    created::<CatalogPublished>(&publish(&world, &one, &first).await);
    for _ in 0..600 {
        refused(&publish(&world, &one, &first).await, ApiErrorCode::StaleSequence);
    }
    let later = async |time: usize| {
        let sequence = u64::try_from(time).unwrap() + 2;
        publish(&world, &one, &Descriptor { sequence, ..first.clone() }).await
    };
    let passed = ask_on(1_000, later).await;
    assert!((511..600).contains(&passed), "{passed}");
    let other = descriptor(&module, "as2", 1, ServiceState::Published);
    created::<CatalogPublished>(&publish(&world, &two, &other).await);
}

#[tokio::test]
async fn tokens_have_a_rate_for_each_certificate() {
    let world = World::new().await;
    let (one, two) = (world.member("as1", 31).await, world.member("as2", 33).await);
    let passed = ask_on(20_000, async |_| one.token(&world).await).await;
    assert!(passed >= 1_200, "{passed}");
    assert!(two.token(&world).await.status.is_success());
}
