//! Errors of what stands between this machine and the hub: the network, proxies and certificates.

use super::proxy::Proxy;
use crate::error::error_with_hint;
use crate::hub::failure::FailedRequest;

/// Variables in which other programs find the certificates of a company's network.
const OTHER_BUNDLES: [&str; 2] = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// Returns the error of a connection that could not be made for the reason `cause`.
pub(super) fn unreachable_error(cause: &str, failed: &FailedRequest) -> anyhow::Error {
    let instead = failed.without_hub();
    let endpoint = failed.settings.endpoint.trim_end_matches('/');
    let proxy = Proxy::of(endpoint);
    if cause.contains("proxy auth") {
        return proxy_login_error(failed, proxy);
    }
    let through = proxy.as_ref().map_or(String::new(), |proxy| {
        format!(" through the proxy `{}`", proxy.address)
    });
    if let Some((why, hint)) = certificate(cause) {
        return error_with_hint(
            format!("cannot reach `{endpoint}`{through}: {why}"),
            format!("{hint}, or {instead}"),
        );
    }
    let check = match proxy {
        Some(Proxy { variable, .. }) => format!(
            "check the proxy that {variable} names, unset it, or add the host to NO_PROXY to connect without it"
        ),
        None => "check the network and HF_ENDPOINT".to_owned(),
    };
    error_with_hint(
        format!("cannot reach `{endpoint}`{through}: {cause}"),
        format!("{check}, or {instead}"),
    )
}

/// Returns the error of a proxy that asks for a user and a password.
pub(super) fn proxy_login_error(failed: &FailedRequest, proxy: Option<Proxy>) -> anyhow::Error {
    let endpoint = failed.settings.endpoint.trim_end_matches('/');
    let instead = failed.without_hub();
    let (name, variable) = match proxy {
        Some(Proxy { variable, address }) => (format!("the proxy `{address}`"), variable),
        None => ("a proxy".to_owned(), "HTTPS_PROXY"),
    };
    error_with_hint(
        format!(
            "cannot reach `{endpoint}`: {name} wants a user and a password (407 Proxy Authentication Required)"
        ),
        format!("set {variable} to `http://USER:PASSWORD@HOST:PORT`, or {instead}"),
    )
}

/// Returns why a certificate was not accepted, and the hint, if that is the cause.
fn certificate(cause: &str) -> Option<(String, String)> {
    let own = |why: &str, hint: &str| Some((format!("{why} ({cause})"), hint.to_owned()));
    if cause.contains("CaUsedAsEndEntity") {
        return own(
            "its certificate is that of an authority, not of a server",
            "let the server use a certificate that this authority signed",
        );
    }
    if !cause.contains("certificate") {
        return None;
    }
    if cause.contains("UnknownIssuer") {
        let other = OTHER_BUNDLES.iter().find_map(|name| {
            Some((
                name,
                std::env::var(name).ok().filter(|value| !value.is_empty())?,
            ))
        });
        let such_as = other.map_or(String::new(), |(name, value)| {
            format!(", such as that of {name}, `{value}`")
        });
        let hint = format!(
            "if a company's network signs connections itself, set SSL_CERT_FILE to the file of its certificates{such_as} (PEM), or SSL_CERT_DIR to their folder"
        );
        return own("its certificate is of an unknown authority", &hint);
    }
    let is_time = cause.contains("xpired")
        || cause.contains("not valid yet")
        || cause.contains("NotValidYet");
    let hint = if is_time {
        "check the clock of this machine"
    } else {
        "check HF_ENDPOINT and what stands between this machine and it"
    };
    Some((cause.to_owned(), hint.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_are_not_accepted_have_their_own_ways_out() {
        for (cause, why, hint) in [
            (
                "invalid peer certificate: UnknownIssuer",
                "of an unknown authority",
                "SSL_CERT_FILE",
            ),
            (
                "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
                "of an authority, not of a server",
                "that this authority signed",
            ),
            (
                "invalid peer certificate: Expired",
                "invalid peer certificate",
                "the clock",
            ),
            (
                "invalid peer certificate: NotValidForName",
                "invalid peer certificate",
                "HF_ENDPOINT",
            ),
        ] {
            let (found, way_out) = certificate(cause).unwrap();
            assert!(found.contains(why) && found.contains(cause), "{found}");
            assert!(way_out.contains(hint), "{way_out}");
        }
        assert_eq!(certificate("Connection refused (os error 111)"), None);
    }
}
