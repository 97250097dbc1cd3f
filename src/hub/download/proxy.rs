//! The proxy between this machine and the hub, as the HTTP client takes it from the environment, for messages.

/// A proxy and the variable that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    pub variable: &'static str,
    /// Its address, without user and password.
    pub address: String,
}

impl Proxy {
    /// Returns the proxy of requests to `endpoint`, if the environment names one.
    pub fn of(endpoint: &str) -> Option<Self> {
        Self::from_variables(endpoint, |name| std::env::var(name).ok())
    }

    fn from_variables(endpoint: &str, variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        // The first that is set counts, even if it is empty.
        let first = |names: [&'static str; 2]| {
            let mut set = names.into_iter();
            set.find_map(|name| Some((name, variable(name)?.trim().to_owned())))
                .filter(|(_, value)| !value.is_empty())
        };
        let (scheme, rest) = endpoint.split_once("://")?;
        let own = match scheme {
            "https" => ["HTTPS_PROXY", "https_proxy"],
            "http" => ["HTTP_PROXY", "http_proxy"],
            _ => return None,
        };
        let (variable, value) = first(own).or_else(|| first(["ALL_PROXY", "all_proxy"]))?;
        let excluded = first(["NO_PROXY", "no_proxy"]);
        let excluded = excluded.as_ref().map_or("", |(_, hosts)| hosts);
        let host = host(rest);
        let is_direct = excluded.split(',').map(str::trim).any(|name| {
            let name = name.trim_start_matches('.');
            let before = host.strip_suffix(name);
            name == "*"
                || !name.is_empty()
                    && before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        });
        (!is_direct).then(|| Self {
            variable,
            address: without_password(&value),
        })
    }
}

/// Returns the host of an address without its scheme.
fn host(address: &str) -> &str {
    let authority = address.split(['/', '?']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(ipv6) => ipv6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn without_password(address: &str) -> String {
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), address),
    };
    let host = rest.rsplit('@').next().unwrap_or_default();
    format!("{scheme}{}", host.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(endpoint: &str, variables: &[(&str, &str)]) -> Option<(&'static str, String)> {
        let found = Proxy::from_variables(endpoint, |name| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some((*value).to_owned())
        })?;
        Some((found.variable, found.address))
    }

    #[test]
    fn the_proxy_is_that_of_the_scheme_or_of_all() {
        let of = |variable, address: &str| Some((variable, address.to_owned()));
        for (endpoint, variables, expected) in [
            (
                "http://hub.invalid",
                &[("HTTP_PROXY", "http://127.0.0.1:9")][..],
                of("HTTP_PROXY", "http://127.0.0.1:9"),
            ),
            (
                "https://huggingface.co",
                &[("HTTP_PROXY", "http://a"), ("https_proxy", "b:3128")],
                of("https_proxy", "b:3128"),
            ),
            (
                "https://huggingface.co/hub",
                &[("ALL_PROXY", "http://user:secret@proxy:8080/")],
                of("ALL_PROXY", "http://proxy:8080"),
            ),
            (
                "https://huggingface.co",
                &[("HTTP_PROXY", "http://a")],
                None,
            ),
            ("https://huggingface.co", &[("HTTPS_PROXY", "")], None),
            ("https://huggingface.co", &[], None),
            ("huggingface.co", &[("ALL_PROXY", "http://a")], None),
        ] {
            assert_eq!(
                proxy(endpoint, variables),
                expected,
                "{endpoint} {variables:?}"
            );
        }
    }

    #[test]
    fn hosts_without_a_proxy_have_none() {
        for (hosts, is_direct) in [
            ("huggingface.co", true),
            (".co, other", true),
            ("*", true),
            ("face.co", false),
            ("", false),
            ("localhost,127.0.0.1", false),
        ] {
            let variables = [("HTTPS_PROXY", "http://a"), ("no_proxy", hosts)];
            let found = proxy("https://huggingface.co:443/x", &variables);
            assert_eq!(found.is_none(), is_direct, "{hosts}");
        }
    }
}
