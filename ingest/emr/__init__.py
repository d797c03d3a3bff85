"""The same job on EMR: packed on this machine, sent to a service, watched, paid for."""
