"""Translates messages to engine calls and domain errors to statuses; nothing else knows gRPC."""
