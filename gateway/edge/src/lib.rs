//! The door: keys become principals, gRPC and grpc-web on one port.
