//! Where a check looks: over our own line at some host, or only on this machine.

use super::CheckKind;

/// The host that a check looks at over the network; nothing when it stays on this machine. What a
/// command does is not known: it counts as staying here unless the configuration says otherwise.
pub fn host(kind: &CheckKind) -> Option<String> {
    if matches!(kind, CheckKind::Custom(_) | CheckKind::File(_)) {
        return None;
    }
    let target = kind.target();
    let rest = match target.split_once("://") {
        Some((_, rest)) => rest,
        None if matches!(kind, CheckKind::Tcp(_)) => target.as_str(),
        None => return None,
    };
    let place = rest.split(['/', '?']).next().unwrap_or_default();
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let host = match place.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None if place.matches(':').count() > 1 => place.rsplit_once(':').map_or(place, |(h, _)| h),
        None => place.split(':').next().unwrap_or_default(),
    };
    let local = matches!(host, "" | "localhost" | "::1") || host.starts_with("127.");
    (!local).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tcp;

    fn tcp(place: &str) -> Option<String> {
        host(&CheckKind::Tcp(tcp::Settings::parse(place).unwrap()))
    }

    #[test]
    fn another_host_is_remote_and_this_machine_is_not() {
        assert_eq!(tcp("shop.example:443").as_deref(), Some("shop.example"));
        assert_eq!(tcp("10.0.0.7:5432").as_deref(), Some("10.0.0.7"));
        assert_eq!(tcp("[2001:db8::7]:5432").as_deref(), Some("2001:db8::7"));
        for here in ["127.0.0.1:80", "localhost:80", "[::1]:80", "127.0.1.1:80"] {
            assert_eq!(tcp(here), None, "{here}");
        }
    }
}
