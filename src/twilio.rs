//! What does Twilio say? Requests, numbers and signatures; TwiML and parameters as data.

pub mod channel;
pub mod facts;
pub mod number;
pub(crate) mod parameters;
pub mod request;
pub mod signature;
pub mod spelling;
pub(crate) mod twiml_value;
pub mod vocabulary;
