"""A report: what every study says about one topology, on one page that can be sent, read and printed."""
