"""The Ostinato server: streams recurrent networks over gRPC."""
