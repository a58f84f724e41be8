"""Every error a caller can meet, raised low and translated once (rest/faults.py).

    NaasError                        500
      BadRequest                     400  malformed or contradictory input
        InvalidInput                 400  a value that cannot be used, says which and why
          InvalidSubnetServiceType   400
        AllocationOnAutoAddressSubnet 400
        InvalidIpForNetwork          400
        InvalidIpForSubnet           400
        OutOfBoundsAllocationPool    400
      NotAuthenticated               401
      PolicyNotAuthorized            403
      HTTPMethodNotAllowed           405
      NotFound                       404  one subclass a resource: NetworkNotFound, PortNotFound, ...
      Conflict                       409  one subclass a reason: NetworkInUse, IpAddressAlreadyAllocated, ...
      NotImplementedByPlugin         501  no plugin of the kind that serves the request is configured
      ServiceUnavailable             503  the database is busy or cannot be used; later it may be

`type` is the exception's name on the wire (Neutron's `NeutronError.type`); clients key on it.
"""
from __future__ import annotations

from typing import ClassVar


class NaasError(Exception):
    """Base: `str(error)` tells the user what was wrong, where, and what would be right."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "HTTPInternalServerError"

    def __init_subclass__(cls) -> None:
        if "type" not in cls.__dict__:
            cls.type = cls.__name__


class BadRequest(NaasError):
    status = 400


class HTTPBadRequest(BadRequest):
    """The request's shape is wrong: JSON, attributes, their types, the query string."""


class InvalidInput(BadRequest):
    pass


class InvalidSubnetServiceType(InvalidInput):
    pass


class InvalidIpForNetwork(BadRequest):
    pass


class InvalidIpForSubnet(BadRequest):
    pass


class AllocationOnAutoAddressSubnet(BadRequest):
    pass


class OutOfBoundsAllocationPool(BadRequest):
    pass


class NetworkSubnetPoolAffinityError(BadRequest):
    pass


class SubnetPoolDeleteError(BadRequest):
    pass


class EmptySubnetPoolPrefixList(BadRequest):
    pass


class PrefixVersionMismatch(BadRequest):
    pass


class IllegalSubnetPoolPrefixBounds(BadRequest):
    pass


class IllegalSubnetPoolUpdate(BadRequest):
    pass


class IllegalSubnetPoolPrefixUpdate(BadRequest):
    pass


class IllegalSubnetPoolAssociationToAddressScope(BadRequest):
    pass


class IllegalSubnetPoolIpVersionAssociationToAddressScope(BadRequest):
    pass


class AllowedAddressPairExhausted(BadRequest):
    pass


class DuplicateAddressPairInRequest(BadRequest):
    pass


class InvalidRoutes(BadRequest):
    pass


class RoutesExhausted(BadRequest):
    pass


class InvalidActionForType(BadRequest):
    pass


class MinPrefixSubnetAllocationError(BadRequest):
    pass


class MaxPrefixSubnetAllocationError(BadRequest):
    pass


class SecurityGroupRuleInvalidEtherType(BadRequest):
    pass


class SecurityGroupRuleInvalidProtocol(BadRequest):
    pass


class SecurityGroupEthertypeConflictWithProtocol(BadRequest):
    pass


class SecurityGroupProtocolRequiredWithPorts(BadRequest):
    pass


class SecurityGroupInvalidProtocolForPort(BadRequest):
    pass


class SecurityGroupInvalidPortValue(BadRequest):
    pass


class SecurityGroupInvalidPortRange(BadRequest):
    pass


class SecurityGroupInvalidIcmpValue(BadRequest):
    pass


class SecurityGroupMissingIcmpType(BadRequest):
    pass


class SecurityGroupMultipleRemoteEntites(BadRequest):
    """Neutron spells it so."""


class SecurityGroupRuleParameterConflict(BadRequest):
    """The remote prefix is of another IP version than the rule."""


class InvalidCIDR(BadRequest):
    pass


class SecurityGroupNotSingleGroupRules(BadRequest):
    pass


class AddressesAlreadyExist(BadRequest):
    pass


class PortSecurityAndIPRequiredForSecurityGroups(BadRequest):
    pass


class NotAuthenticated(NaasError):
    """`challenge`: how to say who one is (RFC 9110 section 11.6.1), where that is not by a token of our own."""

    status = 401
    type = "HTTPUnauthorized"

    def __init__(self, message: str, challenge: str | None = None) -> None:
        super().__init__(message)
        self.challenge = challenge


class HTTPMethodNotAllowed(NaasError):
    status = 405


class PolicyNotAuthorized(NaasError):
    status = 403


class NotFound(NaasError):
    """`noun` names the resource in the message."""

    status = 404
    type = "HTTPNotFound"
    noun: ClassVar[str] = "Resource"

    def __init__(self, identifier: str) -> None:
        super().__init__(f"{self.noun} {identifier} could not be found.")
        self.identifier = identifier


class NetworkNotFound(NotFound):
    noun = "Network"


class SubnetNotFound(NotFound):
    noun = "Subnet"


class PortNotFound(NotFound):
    noun = "Port"


class TenantQuotaNotFound(NotFound):
    noun = "Quota for tenant"


class RouterNotFound(NotFound):
    noun = "Router"


class RouteNotFound(NotFound):
    noun = "Route"


class VifNotFound(NotFound):
    noun = "VIF"


class HypervisorNotFound(NotFound):
    noun = "Hypervisor"


class QosPolicyNotFound(NotFound):
    noun = "QoS policy"


class QosRuleNotFound(NotFound):
    noun = "QoS rule"


class AgentNotFound(NotFound):
    noun = "Agent"


class AvailabilityZoneNotFound(NotFound):
    noun = "Availability zone"


class PortBindingNotFound(NotFound):
    noun = "Binding"


class QosRuleTypeNotFound(NotFound):
    noun = "QoS rule type"


class TagNotFound(NotFound):
    noun = "Tag"


class ExtensionNotFound(NotFound):
    noun = "Extension"


class SubnetPoolNotFound(NotFound):
    noun = "Subnet pool"


class RbacPolicyNotFound(NotFound):
    noun = "RBAC policy"


class AddressScopeNotFound(NotFound):
    noun = "Address scope"


class SegmentNotFound(NotFound):
    noun = "Segment"


class TrunkNotFound(NotFound):
    noun = "Trunk"


class ServiceProviderNotFound(NotFound):
    noun = "Service provider"


class FloatingIPNotFound(NotFound):
    noun = "Floating IP"


class ExternalGatewayForFloatingIPNotFound(NotFound):
    """No router leads from the port to the floating address's network."""

    def __init__(self, network_id: str, subnet_id: str, port_id: str) -> None:
        NaasError.__init__(self, f"External network {network_id} is not reachable from subnet {subnet_id}. Therefore, "
                                 f"cannot associate Port {port_id} with a Floating IP.")
        self.identifier = network_id


class BridgeNotFound(NotFound):
    noun = "Bridge"


class SubPortNotFound(NotFound):
    noun = "SubPort"


class RouterInterfaceNotFound(NotFound):
    noun = "Router interface"


class RouterInterfaceNotFoundForSubnet(NotFound):
    noun = "Router interface on subnet"


class SecurityGroupNotFound(NotFound):
    noun = "Security group"


class SecurityGroupRuleNotFound(NotFound):
    noun = "Security group rule"


class AddressGroupNotFound(NotFound):
    noun = "Address group"


class AddressesNotFound(NotFound):
    noun = "Addresses"


class DefaultSecurityGroupRuleNotFound(NotFound):
    noun = "Default security group rule"


class Conflict(NaasError):
    status = 409


class NetworkInUse(Conflict):
    pass


class ExternalNetworkInUse(Conflict):
    pass


class DefaultExternalNetworkExists(Conflict):
    pass


class AutoAllocationFailure(Conflict):
    """The operator has not said what topologies are made of."""


class FloatingIPPortAlreadyAssociated(Conflict):
    pass


class RouterExternalGatewayInUseByFloatingIp(Conflict):
    pass


class RouterInterfaceInUseByFloatingIP(Conflict):
    pass


class FlatNetworkInUse(Conflict):
    pass


class VlanIdInUse(Conflict):
    pass


class TunnelIdInUse(Conflict):
    pass


class NoNetworkAvailable(Conflict):
    pass


class SubnetInUse(Conflict):
    pass


class PortInUse(Conflict):
    pass


class PortBound(Conflict):
    pass


class PortBindingAlreadyExists(Conflict):
    pass


class PortBindingAlreadyActive(Conflict):
    pass


class PortBindingError(Conflict):
    """The host cannot realise the port."""


class ServicePortInUse(Conflict):
    pass


class ParentPortInUse(Conflict):
    """It is bound, or a trunk's parent already."""


class TrunkPortInUse(Conflict):
    pass


class DuplicateSubPort(Conflict):
    pass


class SubPortMtuGreaterThanTrunkPortMtu(Conflict):
    pass


class PortInUseAsTrunkParent(Conflict):
    pass


class PortInUseAsSubPort(Conflict):
    pass


class BridgeExists(Conflict):
    """The tunnel is another bridge's."""


class BridgeInUse(Conflict):
    pass


class TrunkInUse(Conflict):
    pass


class TrunkDisabled(Conflict):
    pass


class RouterInUse(Conflict):
    pass


class InterfaceInUse(Conflict):
    """A hypervisor's interface is already plugged to another port."""


class HypervisorInUse(Conflict):
    pass


class RouteExists(Conflict):
    pass


class QosPolicyInUse(Conflict):
    pass


class QoSRulesConflict(Conflict):
    pass


class QoSRuleParameterConflict(Conflict):
    pass


class QoSPolicyDefaultAlreadyExists(Conflict):
    pass


class MacAddressInUse(Conflict):
    pass


class IpAddressAlreadyAllocated(Conflict):
    pass


class IpAddressGenerationFailure(Conflict):
    pass


class IpAddressGenerationFailureNoMatchingSubnet(IpAddressGenerationFailure):
    """None of the network's subnets serves the port's device owner."""


class GatewayConflictWithAllocationPools(Conflict):
    pass


class GatewayIpInUse(Conflict):
    pass


class OverlappingAllocationPools(Conflict):
    pass


class AddressScopeInUse(Conflict):
    pass


class AddressScopePrefixConflict(Conflict):
    pass


class SubnetAllocationError(Conflict):
    """The pool has no such prefix free. Neutron answers 500."""


class SubnetPoolQuotaExceeded(Conflict):
    pass


class InvalidSharedSetting(Conflict):
    pass


class SecurityGroupInUse(Conflict):
    pass


class AddressGroupInUse(Conflict):
    pass


class SecurityGroupRuleExists(Conflict):
    pass


class DefaultSecurityGroupRuleExists(Conflict):
    pass


class SecurityGroupDefaultAlreadyExists(Conflict):
    pass


class SecurityGroupCannotUpdateDefault(Conflict):
    pass


class SecurityGroupCannotRemoveDefault(Conflict):
    pass


class PortSecurityPortHasSecurityGroup(Conflict):
    pass


class AddressPairAndPortSecurityRequired(Conflict):
    pass


class RouterInterfaceInUseByRoute(Conflict):
    pass


class DuplicateRbacPolicy(Conflict):
    pass


class RbacPolicyInUse(Conflict):
    pass


class OverQuota(Conflict):
    """The project has as many of it as it may."""


class RevisionNumberConstraintFailed(NaasError):
    status = 412


class NotImplementedByPlugin(NaasError):
    status = 501
    type = "NotImplementedError"


class ServiceUnavailable(NaasError):
    status = 503


class ConfigurationError(NaasError):
    """The operator's configuration cannot be used; the message says what would be right."""
