//! How a check stands, and how that compares with before.

use serde::{Deserialize, Serialize};

use super::{Baseline, CheckName, Level};

/// How a check stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// Not decided yet.
    Pending,
    /// It passes.
    Passing,
    /// It fails.
    Failing,
    /// It could not be probed within its time.
    Unknown,
    /// Not probed: one that it comes after does not pass.
    Skipped,
}

/// One check in a record or an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// Its name.
    pub name: CheckName,
    /// What its failure means.
    pub level: Level,
    /// How it stood before the switch; `None` where there is no before (`nqd health`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// How it stands.
    pub standing: Standing,
    /// What its last probe said.
    pub message: String,
}

/// What the comparison of before and now means (DESIGN rule 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// It passes, and did or is new.
    Good,
    /// It passes and did not before.
    Recovered,
    /// It does not pass, and nothing shows that it did not before.
    Regressed,
    /// It did not pass before either.
    PreExisting,
    /// Not decided yet.
    Open,
}

impl CheckReport {
    /// Whether it keeps a system from being healthy: it does not pass, and somebody wants it to.
    pub fn speaks_against(&self) -> bool {
        !matches!(self.standing, Standing::Passing) && self.level != Level::Info
    }

    /// Compares before and now.
    pub fn comparison(&self) -> Comparison {
        let before = self.baseline.unwrap_or(Baseline::New);
        match (self.standing, before) {
            (Standing::Pending, _) => Comparison::Open,
            (Standing::Passing, Baseline::Failed | Baseline::Skipped) => Comparison::Recovered,
            (Standing::Passing, _) => Comparison::Good,
            (Standing::Failing | Standing::Unknown | Standing::Skipped, Baseline::Failed)
            | (Standing::Skipped, Baseline::Skipped) => Comparison::PreExisting,
            (Standing::Failing | Standing::Unknown | Standing::Skipped, _) => Comparison::Regressed,
        }
    }

    /// "web (http 500; passed before)".
    pub fn describe(&self) -> String {
        format!("{} {}", self.name, self.details())
    }

    /// "(http 500; passed before)"; how it was before only where that is news.
    pub fn details(&self) -> String {
        match self.baseline.filter(|b| self.standing != Standing::Passing || *b != Baseline::Passed) {
            Some(before) => format!("({}; {})", self.message, before.words()),
            None => format!("({})", self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        use Baseline as B;
        use Comparison as C;
        use Standing as S;
        let rows = [
            (B::Passed, [C::Open, C::Good, C::Regressed, C::Regressed, C::Regressed]),
            (B::Failed, [C::Open, C::Recovered, C::PreExisting, C::PreExisting, C::PreExisting]),
            (B::Skipped, [C::Open, C::Recovered, C::Regressed, C::Regressed, C::PreExisting]),
            (B::Unknown, [C::Open, C::Good, C::Regressed, C::Regressed, C::Regressed]),
            (B::New, [C::Open, C::Good, C::Regressed, C::Regressed, C::Regressed]),
        ];
        for (baseline, expected) in rows {
            let standings = [S::Pending, S::Passing, S::Failing, S::Unknown, S::Skipped];
            for (standing, expected) in standings.into_iter().zip(expected) {
                let report = CheckReport {
                    name: "a".into(),
                    level: Level::Required,
                    baseline: Some(baseline),
                    standing,
                    message: String::new(),
                };
                assert_eq!(report.comparison(), expected, "{baseline:?} -> {standing:?}");
            }
        }
    }
}
