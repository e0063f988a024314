//! Keys and tokens of a test's own, made by openssl and by Python's `cryptography`.
//!
//! Promises: all tokens say the same, each signed with the private half of the key above it.
//! Never: a private key.

pub(super) const RSA_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvfuFqxT5mt4WycuGkVGY6b2ynERg2I7TlCwriTaTQLTs\
ASoGwaUfWkTrNKPZ8H+iGgwI5gsMMkChb3Is0BuuAmwGsrkOrHqgFsTfOI1eSViTH14/x5Lzf+YGa4Q98quxh0ud\
3ERSkYLfDvEOSZ9fehwVIK5p9Fd56eoRv5LTutqH/U9VR0P8ZOPmgsObbaIdO+7nqYHSEP7Vy2THUuxKlD7uUIJ0\
WO843EYKeopdPlC0h0kpj5HyRWuFiSpLMoan4V+l62D5JLg+abVGaLCsdPQk/ZeC8Q70nc+++zc9qvyae3hbMXO0\
/VnOIjLT+6USWe4whEWpUmEBEAYoPDjlWQIDAQAB\
\n-----END PUBLIC KEY-----\n";
pub(super) const RSA_TOKEN: &str = "\
eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOls\
ib3RoZXIiLCJwbGltc29sbCJdLCJzdWIiOiJ1c2VyLTciLCJleHAiOjQxMDI0NDQ4MDAsInNjb3BlIjoib3Blbml\
kIHJlYWQ6Z29vZHMiLCJ0ZW5hbnQiOjQyfQ.GdJJ1tka0KX2vrBQ_LOvglMTSgBzHxjzzmrgW0RJPVxsWTtvE3K2\
e1RLByVsAqFdtJBCq6yVtrxqqAZrg-2W6kNHkT9E5XJx0XgpRasV1J2rWMpKoWOaisnEeEpLz6BwDq3XEgpqqYo9\
_wYbuY0eCEMrn-jlT_VIaDT_MGfEnz3Bho30dvPVgVfD_CCOW_He1cQ0wzX1furDi4bpXx3CaAwf7M5v5GE6I8Kb\
0pIWGdRBFWk8gcholg6yJ0NCfrkC1gTXV51tLzZ0sWTVmVt4ygk8dTwUnGD9Qq4dYqjyg-2f6LwaKqcAfZMjsW2c\
Y8aur1V4fyswu7Se6ouWOuPS9w";

pub(super) const P256_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEi0unjo85ifJ4MOBEFaQG6zAJWcKbdS3W2pwYjx87R1bNwCIiEthB\
i/oOL8xG5Qfn/UOd99EgJnTCKiwED5q4Cg==\
\n-----END PUBLIC KEY-----\n";
pub(super) const P256_TOKEN: &str = "\
eyJhbGciOiAiRVMyNTYiLCAidHlwIjogIkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOls\
ib3RoZXIiLCJwbGltc29sbCJdLCJzdWIiOiJ1c2VyLTciLCJleHAiOjQxMDI0NDQ4MDAsInNjb3BlIjoib3Blbml\
kIHJlYWQ6Z29vZHMiLCJ0ZW5hbnQiOjQyfQ.fai061ebXGeQB5FRRzkC6W_081SLCq890OGoFjvphG6RaFJbX-fj\
JGS1Eutwi45eg7GuZ-AEy9xknNnsAmHhFQ";

pub(super) const ED25519_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
MCowBQYDK2VwAyEADzdXmDbsYlhCYfUcIM+YPZCKNpmUUibegeKh4mKU5h4=\
\n-----END PUBLIC KEY-----\n";
pub(super) const ED25519_TOKEN: &str = "\
eyJhbGciOiAiRWREU0EiLCAidHlwIjogIkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOls\
ib3RoZXIiLCJwbGltc29sbCJdLCJzdWIiOiJ1c2VyLTciLCJleHAiOjQxMDI0NDQ4MDAsInNjb3BlIjoib3Blbml\
kIHJlYWQ6Z29vZHMiLCJ0ZW5hbnQiOjQyfQ.o_SyOqbjzaqZBl1gt6gOJ1kyVxVyTeW5Pqr1tLK1KvuZSBTI3vBH\
LfhPwcPWNbuC4ZCJAQx-fn5w49PqHmduDg";
