//! What people and programs are told: events, and the forms they take.

#[cfg(feature = "operator")]
pub mod doctor_text;
pub mod event;
#[cfg(feature = "operator")]
pub mod history_text;
#[cfg(feature = "operator")]
pub mod human;
#[cfg(feature = "operator")]
pub mod junit;
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
