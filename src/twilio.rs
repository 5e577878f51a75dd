//! What Twilio says: requests, numbers and signatures; TwiML and parameters as data.

pub mod channel;
pub(crate) mod characters;
pub mod facts;
pub mod number;
pub(crate) mod parameters;
pub(crate) mod places;
pub mod request;
pub mod signature;
pub mod spelling;
pub(crate) mod twiml_value;
pub mod vocabulary;
