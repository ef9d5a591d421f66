//! One file over HTTP, going on where an earlier attempt stopped.
//!
//! Beside `<name>.part` lies `<name>.validator`: what the server said the file is recognised by. It goes with every request
//! for the rest, so that no file is made of halves of two.
use super::Progress;
use super::problem::{problem, written};
use crate::{Error, Result};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::config::ConfigBuilder;
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::typestate::AgentScope;
use ureq::{Agent, Body};

/// What answers requests, and how patient it is.
pub(super) struct Client {
    agent: Agent,
    /// Before the next attempt after one, two, ... attempts in a row that brought nothing.
    pauses: Vec<Duration>,
}

/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

const CERTIFICATES: &str = "there is no safe connection to the server: check this machine's clock, that the system's certificates are \
     installed (on Debian and Ubuntu the package ca-certificates), and the proxy, if there is one";

/// Why an attempt did not bring the whole file.
enum Failure {
    /// It may go better next time, after a pause if the server asks for one.
    Passing(String, Option<Duration>),
    /// What is here is of another file than what the server has now.
    Changed,
    Final(Error),
}

impl From<Error> for Failure {
    fn from(e: Error) -> Failure {
        Failure::Final(e)
    }
}

impl Client {
    /// With the environment's proxies and the system's certificates.
    pub fn new() -> Client {
        Client::with(trusting(), [1, 2, 5, 15].map(Duration::from_secs).to_vec())
    }

    /// For servers on this machine.
    #[cfg(test)]
    pub fn local() -> Client {
        Client::with(trusting().proxy(None), vec![Duration::from_millis(1); 3])
    }

    fn with(config: ConfigBuilder<AgentScope>, pauses: Vec<Duration>) -> Client {
        let config = config
            .http_status_as_error(false)
            .user_agent(concat!("scenarec/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .timeout_per_read(Some(Duration::from_secs(60)));
        Client { agent: config.build().new_agent(), pauses }
    }

    /// Downloads to `part`, or what is missing of it.
    pub fn download(
        &self,
        url: &str,
        name: &str,
        part: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let (mut longest, mut in_vain) = (length(part)?, 0);
        loop {
            let (why, asked) = match self.attempt(url, name, part, progress) {
                Ok(()) => return Ok(()),
                Err(Failure::Final(e)) => return Err(e),
                Err(Failure::Passing(why, asked)) => (why, asked),
                Err(Failure::Changed) => {
                    discard(part)?;
                    ("the file at the publisher's has changed".into(), Some(Duration::ZERO))
                }
            };
            let here = length(part)?;
            // More than ever before: with a server that knows no parts, or whose validators come and go, this has an end.
            if here > longest {
                (longest, in_vain) = (here, 0);
            }
            let Some(pause) = self.pauses.get(in_vain) else {
                let what = format!("{why}, {} times in a row", in_vain + 1);
                let advice = "is this machine online, and https_proxy set where the network is behind a proxy? then run the same \
                              command again, which goes on where this one stopped; or download the file elsewhere and put it \
                              into the raw folder";
                return Err(problem(url, what, advice));
            };
            in_vain += 1;
            let pause = asked.unwrap_or(*pause).min(LONGEST_PAUSE);
            progress(Progress::Waiting { name, why: &why, pause });
            std::thread::sleep(pause);
        }
    }

    fn attempt(
        &self,
        url: &str,
        name: &str,
        part: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> std::result::Result<(), Failure> {
        let validator = validator_path(part);
        // Without a validator nobody can say what the part is a part of.
        let known = std::fs::read_to_string(&validator).unwrap_or_default();
        let here = if known.is_empty() { 0 } else { length(part)? };

        // What is redirected must stay encrypted.
        let mut request = self.agent.get(url).config().https_only(url.starts_with("https:")).build();
        if here > 0 {
            request =
                request.header(header::RANGE, format!("bytes={here}-")).header(header::IF_RANGE, &known);
        }
        let mut response = request.call().map_err(|e| unreached(url, e))?;
        let mut done = here;
        let of = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let (start, of) = content_range(&response).unwrap_or_default();
                let other = validator_of(&response).is_some_and(|v| v != known);
                if start != Some(here) || here == 0 || other {
                    return Err(Failure::Changed);
                }
                of.or(response.body().content_length().map(|rest| here + rest))
            }
            // The whole file: no part is here, or it is of another file, or the server knows no parts.
            StatusCode::OK => {
                done = 0;
                File::create(part).map_err(written(part, "cannot make the file"))?;
                std::fs::write(&validator, validator_of(&response).unwrap_or_default())
                    .map_err(written(&validator, "cannot write the file"))?;
                response.body().content_length()
            }
            // Nothing is left to send.
            StatusCode::RANGE_NOT_SATISFIABLE if here > 0 => {
                return match content_range(&response) {
                    Some((_, Some(of))) if of == here => Ok(()),
                    _ => Err(Failure::Changed),
                };
            }
            status => return Err(refused(url, status, &response)),
        };
        progress(Progress::Downloading { name, done, of });

        let mut file =
            File::options().append(true).open(part).map_err(written(part, "cannot open the file"))?;
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; 1 << 17];
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(Failure::Passing(broke_off(done, of, &e.to_string()), None)),
            };
            file.write_all(&buffer[..n]).map_err(written(part, "cannot write the file"))?;
            done += n as u64;
            progress(Progress::Downloading { name, done, of });
        }
        match of {
            Some(of) if done < of => Err(Failure::Passing(broke_off(done, Some(of), "it was closed"), None)),
            Some(of) if done > of => Err(Failure::Changed),
            _ => Ok(()),
        }
    }
}

/// Trusts those that the system trusts.
fn trusting() -> ConfigBuilder<AgentScope> {
    Agent::config_builder().tls_config(
        TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::PlatformVerifier)
            .build(),
    )
}

/// Deletes a part and what is known of it.
pub(super) fn discard(part: &Path) -> Result<()> {
    for path in [part.to_path_buf(), validator_path(part)] {
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(Error::io(path, "cannot delete the file")(e));
            }
            _ => {}
        }
    }
    Ok(())
}

fn validator_path(part: &Path) -> PathBuf {
    part.with_extension("validator")
}

fn length(path: &Path) -> Result<u64> {
    match path.metadata() {
        Ok(m) => Ok(m.len()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(0),
        Err(e) => Err(Error::io(path, "cannot look at the file")(e)),
    }
}

fn text<'a>(response: &'a Response<Body>, name: &header::HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// What the server lets a rest be asked for with: a strong ETag, else the time of the last change.
fn validator_of(response: &Response<Body>) -> Option<String> {
    let etag = text(response, &header::ETAG).filter(|e| e.starts_with('"'));
    etag.or_else(|| text(response, &header::LAST_MODIFIED)).map(String::from)
}

/// Where the sent bytes begin and how many the whole file has, of `bytes 5-9/10` or `bytes */10`.
fn content_range(response: &Response<Body>) -> Option<(Option<u64>, Option<u64>)> {
    let (range, of) = text(response, &header::CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-').and_then(|(start, _)| start.parse().ok());
    Some((start, of.parse().ok()))
}

fn broke_off(done: u64, of: Option<u64>, why: &str) -> String {
    let of = of.map_or(String::new(), |of| format!(" of {of}"));
    format!("the connection broke off after {done}{of} bytes ({why})")
}

/// What to do where there is no answer.
fn unreached(url: &str, e: ureq::Error) -> Failure {
    let untrusted = |e: &std::io::Error| e.get_ref().is_some_and(|e| e.is::<rustls::Error>());
    let advice = match &e {
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Pem(_) => CERTIFICATES,
        ureq::Error::Io(e) if untrusted(e) => CERTIFICATES,
        ureq::Error::InvalidProxyUrl => "correct the proxy's address in https_proxy, http_proxy or all_proxy",
        ureq::Error::RequireHttpsOnly(_) | ureq::Error::TooManyRedirects => {
            "the publisher has moved the file: look at the home page, and put the files into the raw folder by hand"
        }
        // Names that cannot be looked up, connections that are refused, reset or too slow.
        _ => return Failure::Passing(e.to_string(), None),
    };
    Failure::Final(problem(url, e.to_string(), advice))
}

/// What to do where the answer is another than the file.
fn refused(url: &str, status: StatusCode, response: &Response<Body>) -> Failure {
    let what = format!("the server answers {status}");
    let advice = match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            "the publisher has moved or withdrawn the file: look at the home page, and put the files into the raw folder by hand"
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "the publisher, or a proxy on the way, does not give the file to this machine: download it in a browser and put \
             the files into the raw folder by hand"
        }
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => "put user and password into https_proxy",
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => return passing(what, response),
        _ if status.is_server_error() => return passing(what, response),
        _ => "this answer is not expected: look at the address in a browser",
    };
    Failure::Final(problem(url, what, advice))
}

fn passing(what: String, response: &Response<Body>) -> Failure {
    let seconds = text(response, &header::RETRY_AFTER).and_then(|s| s.trim().parse().ok());
    Failure::Passing(what, seconds.map(Duration::from_secs))
}
