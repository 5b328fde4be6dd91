//! A line of an attacker's: TLS or none, from an address that it chooses, with windows that it chooses. It believes any certificate.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Bytes;
use http::Uri;
use hyper::body::{Body, Frame};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use iog_home::Home;
use iog_transport::pem;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpSocket;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

/// A server as an attacker reaches it.
#[derive(Clone)]
pub(super) struct Line {
    server: SocketAddr,
    from: Ipv4Addr,
    tls: Option<Arc<ClientConfig>>,
}

/// The body of a request: none, or what comes through a channel.
pub(super) struct Fed(pub(super) Option<mpsc::Receiver<Bytes>>);

impl Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Some(fed) => fed.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

pub(super) type Sender = http2::SendRequest<Fed>;
type Failed = Box<dyn std::error::Error + Send + Sync>;

impl Line {
    /// To a server of ours, as a stranger.
    pub(super) fn strange(server: SocketAddr, from: Ipv4Addr) -> Self {
        let config = any_server().with_no_client_auth();
        Self { server, from, tls: Some(spoken(config)) }
    }

    /// To a server of ours, as the member whose home this is.
    pub(super) fn member(server: SocketAddr, from: Ipv4Addr, home: &Home) -> Self {
        let files = home.tls().expect("the home has a certificate");
        let chain = pem::certificates(&files.cert_pem, "certificate").expect("PEM");
        let key = pem::private_key(&files.key_pem, "key").expect("PEM");
        let config = any_server().with_client_auth_cert(chain, key).expect("they belong together");
        Self { server, from, tls: Some(spoken(config)) }
    }

    /// To a server without TLS.
    pub(super) const fn bare(server: SocketAddr, from: Ipv4Addr) -> Self {
        Self { server, from, tls: None }
    }

    /// An address under this server.
    pub(super) fn uri(&self, path: &str) -> Uri {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://localhost{path}").parse().expect("a path")
    }

    /// Opens a connection whose streams have windows of so many bytes.
    pub(super) async fn open(&self, window: u32) -> Result<Sender, Failed> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((self.from, 0)))?;
        let stream = socket.connect(self.server).await?;
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(window);
        let Some(tls) = &self.tls else {
            let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            return Ok(sender);
        };
        let name = ServerName::try_from("localhost")?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?;
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

fn any_server() -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("the provider knows TLS 1.3");
    builder.dangerous().with_custom_certificate_verifier(Arc::new(Believe))
}

fn spoken(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

#[derive(Debug)]
struct Believe;

impl ServerCertVerifier for Believe {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
