//! What does Twilio say? Requests, numbers and signatures; TwiML and parameters as data.

pub mod facts;
pub(crate) mod parameters;
pub mod request;
pub mod signature;
pub mod spelling;
mod twiml_value;
pub mod types;
pub mod url;
pub mod vocabulary;
