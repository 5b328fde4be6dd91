//! Who gets in, and how both sides recognise each other: real sockets, real TLS.

use std::sync::Arc;

use crate::common::{Server, authority, client, client_by, clock, identity, identity_until, now, spiffe};
use http::StatusCode;
use iog_transport::ca::{LEAF_SECONDS, Validity};
use iog_transport::{ClientAuth, ClientTls, HttpClient, Request, ServeLimits, TransportError};

async fn who(client: &HttpClient, server: &Server) -> Result<String, TransportError> {
    let answer = client.send(Request::get(server.url("/who"))).await?;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.peer.unwrap().spiffe, Some(spiffe("server")));
    Ok(String::from_utf8(answer.body.to_vec()).unwrap())
}

fn tls_failure(answer: Result<String, TransportError>, word: &str) {
    match answer {
        Err(TransportError::Tls { reason, .. }) => assert!(reason.to_lowercase().contains(word), "{reason}"),
        other => panic!("{other:?}"),
    }
}

/// The server does not admit the client's certificate because of its dates. It may close before its alert is read.
fn out_of_time(answer: &Result<String, TransportError>) {
    match answer {
        Err(TransportError::Tls { reason, .. }) => assert!(reason.to_lowercase().contains("expired"), "{reason}"),
        Err(TransportError::Http { .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn certificates_admit_and_name_the_peer() {
    let ca = authority();
    let optional = Server::start(&ca, ClientAuth::Optional, ServeLimits::default()).await;
    let required = Server::start(&ca, ClientAuth::Required, ServeLimits::default()).await;
    let member = client(&ca, Some(identity(&ca, "as1")));
    let public = client(&ca, None);
    assert_eq!(who(&member, &optional).await.unwrap(), spiffe("as1"));
    assert_eq!(who(&member, &required).await.unwrap(), spiffe("as1"));
    assert_eq!(who(&public, &optional).await.unwrap(), "nobody");
    tls_failure(who(&public, &required).await, "certificaterequired");
}

#[tokio::test]
async fn a_foreign_authority_is_refused_on_both_sides() {
    let (ours, theirs) = (authority(), authority());
    let server = Server::start(&ours, ClientAuth::Optional, ServeLimits::default()).await;
    let forged = client(&ours, Some(identity(&theirs, "as1")));
    assert!(matches!(who(&forged, &server).await, Err(TransportError::Tls { .. } | TransportError::Http { .. })));
    tls_failure(who(&client(&theirs, None), &server).await, "unknownissuer");
}

#[tokio::test]
async fn a_leaf_stops_admitting_when_it_ends_by_the_clock() {
    let (ca, clock) = (authority(), clock());
    let server = Server::start_by(Arc::clone(&clock), &ca).await;
    let client = client_by(Arc::clone(&clock), &ca, Some(identity(&ca, "as1")));
    assert_eq!(who(&client, &server).await.unwrap(), spiffe("as1"));
    clock.advance(LEAF_SECONDS);
    assert_eq!(who(&client, &server).await.unwrap(), spiffe("as1"), "its last second still counts");
    // No connection outlives the certificate, and a new one is refused.
    clock.advance(1);
    out_of_time(&who(&client, &server).await);
    client.tls().rotate_identity(Some(identity_until(&ca, "as1", Validity::leaf(now() + LEAF_SECONDS))));
    assert_eq!(who(&client, &server).await.unwrap(), spiffe("as1"));
    clock.advance(30 * 86_400);
    out_of_time(&who(&client, &server).await);
    // Before its first second it does not admit either; TLS has no alert of its own for that.
    clock.advance(-32 * 86_400);
    out_of_time(&who(&client, &server).await);
}

#[tokio::test]
async fn a_client_with_a_slow_clock_gets_nothing_over_an_old_connection() {
    let (ca, ahead) = (authority(), clock());
    let server = Server::start_by(Arc::clone(&ahead), &ca).await;
    let client = client(&ca, Some(identity(&ca, "as1")));
    assert_eq!(who(&client, &server).await.unwrap(), spiffe("as1"));
    ahead.advance(LEAF_SECONDS + 1);
    out_of_time(&who(&client, &server).await);
    out_of_time(&who(&client, &server).await);
}

#[tokio::test]
async fn a_server_is_refused_when_its_leaf_ends_by_the_clients_clock() {
    let (ca, ahead) = (authority(), clock());
    let server = Server::start(&ca, ClientAuth::Optional, ServeLimits::default()).await;
    let client = client_by(Arc::clone(&ahead), &ca, None);
    assert_eq!(who(&client, &server).await.unwrap(), "nobody");
    ahead.advance(LEAF_SECONDS + 1);
    tls_failure(who(&client, &server).await, "expired");
}

#[tokio::test]
async fn a_server_with_an_expired_leaf_is_refused() {
    let ca = authority();
    let server = Server::start(&ca, ClientAuth::Optional, ServeLimits::default()).await;
    let old = identity_until(&ca, "server", Validity { not_before: now() - 100, not_after: now() - 10 });
    server.tls.rotate_identity(old).unwrap();
    tls_failure(who(&client(&ca, None), &server).await, "expired");
}

#[tokio::test]
async fn a_request_for_one_domain_is_not_sent_to_another() {
    let ca = authority();
    let server = Server::start(&ca, ClientAuth::Optional, ServeLimits::default()).await;
    let client = client(&ca, None);
    let right = client.send(Request::get(server.url("/who")).peer(spiffe("server"))).await.unwrap();
    assert_eq!(right.status, StatusCode::OK);
    let wrong = client.send(Request::get(server.url("/who")).peer(spiffe("victim"))).await;
    assert!(
        matches!(&wrong, Err(TransportError::Tls { reason, .. }) if reason.contains("not `spiffe://net.example/domain/victim`")),
        "{wrong:?}"
    );
}

#[tokio::test]
async fn the_name_is_compared_unless_an_identity_is_given() {
    let ca = authority();
    let mut names = iog_transport::ca::SubjectNames { spiffe_uri: spiffe("server"), ..Default::default() };
    names.dns.push("elsewhere.example".into());
    let issued = ca.issue_with_new_key(&names, Validity::leaf(now())).unwrap();
    let server = Server::start(&ca, ClientAuth::Optional, ServeLimits::default()).await;
    server.tls.rotate_identity(iog_transport::Identity::from_pem(&issued.chain_pem, &issued.key_pem).unwrap()).unwrap();
    let client = client(&ca, None);
    tls_failure(who(&client, &server).await, "name");
    assert!(client.send(Request::get(server.url("/who")).peer(spiffe("server"))).await.is_ok());
}

#[tokio::test]
async fn first_contact_is_pinned_to_the_authority_or_the_leaf() {
    let ca = authority();
    let server = Server::start(&ca, ClientAuth::Optional, ServeLimits::default()).await;
    for pin in [ca.spki_sha256(), server.tls.leaf().spki_sha256] {
        let client = HttpClient::new(Arc::new(ClientTls::pinned(pin, clock())));
        assert_eq!(who(&client, &server).await.unwrap(), "nobody");
    }
    tls_failure(who(&HttpClient::new(Arc::new(ClientTls::pinned([7; 32], clock()))), &server).await, "unknownissuer");
    // Showing the pinned authority's certificate is not enough: it must have issued the leaf.
    let other = authority();
    let key = iog_transport::ca::new_key_pem().unwrap();
    let names = iog_transport::ca::SubjectNames { spiffe_uri: spiffe("server"), ..Default::default() };
    let leaf = other.issue(&iog_transport::ca::csr_pem(&key).unwrap(), &names, Validity::leaf(now())).unwrap();
    let leaf = leaf.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
    let chain = format!("{leaf}{}", ca.certificate_pem());
    server.tls.rotate_identity(iog_transport::Identity::from_pem(&chain, &key).unwrap()).unwrap();
    let client = HttpClient::new(Arc::new(ClientTls::pinned(ca.spki_sha256(), clock())));
    assert!(matches!(who(&client, &server).await, Err(TransportError::Tls { .. })));
}

#[tokio::test]
async fn certificates_and_roots_rotate_without_a_restart() {
    let (old, new) = (authority(), authority());
    let server = Server::start(&old, ClientAuth::Required, ServeLimits::default()).await;
    let member = client(&old, Some(identity(&old, "as1")));
    assert_eq!(who(&member, &server).await.unwrap(), spiffe("as1"));
    // Renewal: the client's next request shows the new certificate.
    member.tls().rotate_identity(Some(identity(&old, "as2")));
    assert_eq!(who(&member, &server).await.unwrap(), spiffe("as2"));
    // A new authority: first the server trusts both, then it serves with the new one, then the clients move.
    let both = format!("{}{}", old.certificate_pem(), new.certificate_pem());
    server.tls.rotate_client_roots(&both).unwrap();
    server.tls.rotate_identity(identity(&new, "server")).unwrap();
    tls_failure(who(&client(&old, Some(identity(&old, "as3"))), &server).await, "unknownissuer");
    member.tls().rotate_roots(new.certificate_pem()).unwrap();
    assert_eq!(who(&member, &server).await.unwrap(), spiffe("as2"));
    server.tls.rotate_client_roots(new.certificate_pem()).unwrap();
    member.tls().rotate_identity(Some(identity(&new, "as2")));
    assert_eq!(who(&member, &server).await.unwrap(), spiffe("as2"));
    member.tls().rotate_identity(Some(identity(&old, "as2")));
    assert!(who(&member, &server).await.is_err());
}

#[tokio::test]
async fn addresses_that_are_not_https_are_refused_before_anything_is_sent() {
    let client = client(&authority(), None);
    for url in ["http://localhost/", "localhost", "https://", "", "https:///x", "ftp://x/"] {
        assert!(matches!(client.send(Request::get(url)).await, Err(TransportError::Url { .. })), "{url}");
    }
    let nobody = client.send(Request::get("https://127.0.0.1:1/")).await;
    assert!(matches!(nobody, Err(TransportError::Connect { .. })), "{nobody:?}");
}
