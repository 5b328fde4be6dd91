//! Authorities that are known by their keys: who holds one of them gets in, and nobody else, whatever is put into a chain.

use crate::common::{Server, authority, client, identity, now, spiffe};
use iog_transport::ca::{self, Ca, SubjectNames, Validity};
use iog_transport::{ClientAuth, HttpClient, Identity, Request, ServeLimits};

async fn who(client: &HttpClient, server: &Server) -> Option<String> {
    let answer = client.send(Request::get(server.url("/who"))).await.ok()?;
    answer.status.is_success().then(|| String::from_utf8(answer.body.to_vec()).unwrap())
}

/// A leaf of `ca` whose chain ends with other certificates than it should.
fn with_chain(ca: &Ca, above: &[&Ca]) -> Identity {
    let names = SubjectNames { spiffe_uri: spiffe("as1"), dns: vec!["localhost".into()], ips: vec![] };
    let key = ca::new_key_pem().unwrap();
    let chain = ca.issue(&ca::csr_pem(&key).unwrap(), &names, Validity::leaf(now())).unwrap();
    let leaf = chain.strip_suffix(ca.certificate_pem()).unwrap().to_owned();
    let above: String = above.iter().map(|ca| ca.certificate_pem()).collect();
    Identity::from_pem(&(leaf + &above), &key).unwrap()
}

#[tokio::test]
async fn a_chain_is_good_under_a_key_that_is_named_and_no_other() {
    let (old, new, foreign) = (authority(), authority(), authority());
    let server = Server::start(&old, ClientAuth::Optional, ServeLimits::default()).await;
    let keys = [old.spki_sha256(), new.spki_sha256()];
    server.tls.follow_authorities(&keys).unwrap();
    let by = |identity: Identity| {
        let client = client(&old, Some(identity));
        client.tls().follow_authorities(&keys);
        client
    };
    for good in [identity(&old, "as1"), identity(&new, "as1")] {
        assert_eq!(who(&by(good), &server).await, Some(spiffe("as1")));
    }
    assert_eq!(who(&client(&old, None), &server).await.as_deref(), Some("nobody"), "certificates stay optional");
    for bad in [
        identity(&foreign, "as1"),
        // A leaf of a stranger's under the certificate of an authority that counts, which is public.
        with_chain(&foreign, &[&old]),
        with_chain(&foreign, &[&foreign, &old]),
        with_chain(&foreign, &[&old, &foreign]),
        // Without its authority nobody knows whose it is.
        with_chain(&old, &[]),
    ] {
        assert_eq!(who(&by(bad), &server).await, None);
    }
}

#[tokio::test]
async fn a_key_that_is_no_longer_named_ends_open_connections_too() {
    let (old, new) = (authority(), authority());
    let server = Server::start(&old, ClientAuth::Optional, ServeLimits::default()).await;
    server.tls.follow_authorities(&[old.spki_sha256(), new.spki_sha256()]).unwrap();
    let honest = client(&old, Some(identity(&old, "as1")));
    // It hopes to be taken for one of the new authority once it is in.
    let sly = client(&old, Some(with_chain(&old, &[&old, &new])));
    let moved = client(&old, Some(identity(&new, "as1")));
    for client in [&honest, &sly, &moved] {
        assert_eq!(who(client, &server).await, Some(spiffe("as1")));
    }
    server.tls.follow_authorities(&[new.spki_sha256()]).unwrap();
    assert_eq!(server.tls.authority(), Some(old.spki_sha256()), "its own certificate is to be renewed");
    assert_eq!(honest.tls().succeeding_authority(), None, "it does not follow");
    honest.tls().follow_authorities(&[new.spki_sha256(), old.spki_sha256()]);
    assert_eq!(honest.tls().succeeding_authority(), Some(new.spki_sha256()));
    assert_eq!(who(&honest, &server).await, None);
    assert_eq!(who(&sly, &server).await, None);
    server.tls.follow_authorities(&[]).unwrap();
    assert_eq!(who(&honest, &server).await, None, "no keys change nothing");

    // A server under the old authority is refused by those who follow, over a pooled connection too.
    assert_eq!(who(&moved, &server).await, Some(spiffe("as1")));
    moved.tls().follow_authorities(&[new.spki_sha256()]);
    assert_eq!(who(&moved, &server).await, None);
    server.tls.rotate_identity(identity(&new, "server")).unwrap();
    assert_eq!(who(&moved, &server).await, Some(spiffe("as1")));
    let answer = moved.send(Request::get(server.url("/who"))).await.unwrap();
    assert_eq!(answer.issuer, Some(new.spki_sha256()), "an answer says under which authority it comes");
}
