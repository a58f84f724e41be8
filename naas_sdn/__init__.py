"""Network as a Service: the Neutron API realised in OpenFlow tables by one controller."""
