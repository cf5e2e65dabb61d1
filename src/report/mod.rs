//! What people and programs are told: events, and the forms they take.

#[cfg(feature = "operator")]
pub mod check_text;
#[cfg(feature = "operator")]
pub mod columns;
#[cfg(feature = "operator")]
pub mod diff_text;
#[cfg(feature = "operator")]
pub mod doctor_text;
pub mod event;
#[cfg(feature = "operator")]
pub mod gate_text;
#[cfg(feature = "operator")]
pub mod health_text;
#[cfg(feature = "operator")]
pub mod history_text;
#[cfg(feature = "operator")]
pub mod human;
#[cfg(feature = "operator")]
pub mod junit;
#[cfg(feature = "operator")]
pub mod junit_checks;
#[cfg(feature = "operator")]
pub mod packages_text;
#[cfg(feature = "operator")]
pub mod plan_text;
#[cfg(feature = "operator")]
pub mod reporter;
#[cfg(feature = "operator")]
pub mod status_text;
#[cfg(feature = "operator")]
pub mod system_markdown;
#[cfg(feature = "operator")]
pub mod system_sections;
#[cfg(feature = "operator")]
pub mod system_text;
#[cfg(feature = "operator")]
pub mod why_text;

#[cfg(test)]
#[cfg(feature = "operator")]
mod tests;
