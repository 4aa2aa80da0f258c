//! Which traces are recorded: by the names that OpenTelemetry gives the ways to choose.

use std::fmt;
use std::str::FromStr;

/// `OTEL_TRACES_SAMPLER`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampler {
    AlwaysOn,
    AlwaysOff,
    Ratio,
    #[default]
    ParentOn,
    ParentOff,
    ParentRatio,
}

const NAMES: [(Sampler, &str); 6] = [
    (Sampler::AlwaysOn, "always_on"),
    (Sampler::AlwaysOff, "always_off"),
    (Sampler::Ratio, "traceidratio"),
    (Sampler::ParentOn, "parentbased_always_on"),
    (Sampler::ParentOff, "parentbased_always_off"),
    (Sampler::ParentRatio, "parentbased_traceidratio"),
];

impl Sampler {
    /// Whether a trace is recorded. `parent`: whether whoever asked records it. Follows from the trace's id alone, so that every node
    /// says the same.
    pub fn samples(self, ratio: f64, trace: [u8; 16], parent: Option<bool>) -> bool {
        match (self, parent) {
            (Sampler::ParentOn | Sampler::ParentOff | Sampler::ParentRatio, Some(parent)) => parent,
            (Sampler::AlwaysOn | Sampler::ParentOn, _) => true,
            (Sampler::AlwaysOff | Sampler::ParentOff, _) => false,
            (Sampler::Ratio | Sampler::ParentRatio, _) => {
                let [.., a, b, c, d, e, f, g] = trace;
                // The last seven bytes are the random ones, by the second level of the standard.
                let random = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
                // A number of so many digits is rounded, also up to the bound itself.
                ratio >= 1.0 || (random as f64) < ratio * (1_u64 << 56) as f64
            }
        }
    }
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(sampler, _)| sampler == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Sampler {
    type Err = String;

    fn from_str(text: &str) -> Result<Sampler, String> {
        let found = NAMES.iter().find(|(_, name)| *name == text).map(|(sampler, _)| *sampler);
        found.ok_or_else(|| format!("\"{text}\" is none of {}", NAMES.map(|(_, name)| name).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_traces_is_recorded_and_a_parent_decides_where_it_may() {
        let trace = |n: u64| {
            let mut id = [7; 16];
            // Spread over all values.
            id[8..].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            id
        };
        let share = (0..10_000).filter(|n| Sampler::Ratio.samples(0.25, trace(*n), Some(true))).count();
        assert!((2_300..2_700).contains(&share), "{share}");
        for sampler in [Sampler::Ratio, Sampler::ParentRatio] {
            assert!(sampler.samples(1.0, [0xff; 16], None) && !sampler.samples(0.0, [0; 16], None));
        }
        for (sampler, alone, with, without) in [
            (Sampler::AlwaysOn, true, true, true),
            (Sampler::AlwaysOff, false, false, false),
            (Sampler::ParentOn, true, true, false),
            (Sampler::ParentOff, false, true, false),
            (Sampler::ParentRatio, true, true, false),
        ] {
            let said = [None, Some(true), Some(false)].map(|parent| sampler.samples(1.0, [1; 16], parent));
            assert_eq!(said, [alone, with, without], "{sampler}");
            assert_eq!(sampler.to_string().parse(), Ok(sampler));
        }
        assert!("jaeger_remote".parse::<Sampler>().is_err());
    }
}
