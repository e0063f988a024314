//! A push arrives signed, at least once, under one number; and nobody is called who may not be.

mod delivered;
mod encrypted;
mod noticed;
mod receiver;
mod refused;
mod subscribed;
mod undelivered;
mod world;
