//! A client of another make, which would resume sessions: a resumed one would skip the check of its certificate.

use std::sync::Arc;

use iog_transport::{
    ca::{self, LEAF_SECONDS, SubjectNames, Validity},
    pem,
};
use rustls::{ClientConfig, HandshakeKind};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::common::{Begin, Server, authority, clock, now, spiffe};

/// A client that keeps sessions, with a leaf of the default length.
fn resuming(authority: &ca::Ca) -> TlsConnector {
    let key = ca::new_key_pem().unwrap();
    let names = SubjectNames { spiffe_uri: spiffe("as1"), ..SubjectNames::default() };
    let chain = authority.issue(&ca::csr_pem(&key).unwrap(), &names, Validity::leaf(now())).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_details(provider, Arc::new(Begin))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(pem::roots(authority.certificate_pem(), "roots").unwrap())
        .with_client_auth_cert(pem::certificates(&chain, "chain").unwrap(), pem::private_key(&key, "key").unwrap())
        .unwrap();
    Arc::new(config).into()
}

/// One connection with one request: how the handshake went, and what came back.
async fn ask(client: &TlsConnector, server: &Server) -> std::io::Result<(Option<HandshakeKind>, String)> {
    let stream = TcpStream::connect(server.addr).await?;
    let mut stream = client.connect(ServerName::try_from("localhost").unwrap(), stream).await?;
    stream.write_all(b"GET /who HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok((stream.get_ref().1.handshake_kind(), answer))
}

#[tokio::test]
async fn every_connection_shows_its_certificate_anew() {
    let (ca, clock) = (authority(), clock());
    let server = Server::start_by(Arc::clone(&clock), &ca).await;
    let client = resuming(&ca);
    for _ in 0..2 {
        let (kind, answer) = ask(&client, &server).await.unwrap();
        assert_eq!(kind, Some(HandshakeKind::Full));
        assert!(answer.ends_with(&spiffe("as1")), "{answer}");
    }
    clock.advance(LEAF_SECONDS + 1);
    // What the client sees of it depends on whether it reads the alert before the connection is gone.
    ask(&client, &server).await.unwrap_err();
}
