package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"regexp"
	"time"

	"go.yaml.in/yaml/v3"

	"linegate"
)

// orderFile is an order as it is written in YAML.
type orderFile struct {
	Key       string               `yaml:"key"`
	Kind      linegate.OrderKind   `yaml:"kind"`
	Tenant    string               `yaml:"tenant"`
	Username  string               `yaml:"username"`
	Profile   map[string]yaml.Node `yaml:"profile"`
	Addresses struct {
		IPv4            bool `yaml:"ipv4"`
		IPv6            bool `yaml:"ipv6"`
		FramedPrefix    int  `yaml:"framed_prefix"`
		DelegatedPrefix int  `yaml:"delegated_prefix"`
	} `yaml:"addresses"`
	VLAN struct {
		Pool string `yaml:"pool"`
		OLT  string `yaml:"olt"`
	} `yaml:"vlan"`
	ONU           *onuFile                 `yaml:"onu"`
	CPE           *cpeFile                 `yaml:"cpe"`
	AllowIPv4Only bool                     `yaml:"allow_ipv4_only"`
	Strategy      linegate.SuspendStrategy `yaml:"strategy"`
	SuspendRate   rateFile                 `yaml:"suspend_rate"`
	Quarantine    time.Duration            `yaml:"quarantine"`
}

type rateFile struct {
	Download uint32 `yaml:"download_kbps"`
	Upload   uint32 `yaml:"upload_kbps"`
}

func (r rateFile) rate() linegate.Rate {
	return linegate.Rate{DownloadKbps: r.Download, UploadKbps: r.Upload}
}

type onuFile struct {
	Serial       string        `yaml:"serial"`
	UNI          uint8         `yaml:"uni"`
	CustomerVLAN linegate.VLAN `yaml:"customer_vlan"`
	Transparent  bool          `yaml:"transparent"`
	TechProfile  uint16        `yaml:"tech_profile"`
	Committed    rateFile      `yaml:"committed"`
	Guaranteed   rateFile      `yaml:"guaranteed"`
}

type cpeFile struct {
	Device      string        `yaml:"device"`
	WithoutQinQ bool          `yaml:"without_qinq"`
	IPv4Gateway string        `yaml:"ipv4_gateway"`
	IPv4Length  int           `yaml:"ipv4_length"`
	DNS         []string      `yaml:"dns"`
	PPP         bool          `yaml:"ppp"`
	Expiry      time.Duration `yaml:"expiry"`
}

// goType is how the decoder names a type of ours, which nobody needs to know.
var goType = regexp.MustCompile(` in type main\.\w+`)

// readOrder reads the order in a file, - for standard input. What it leaves out is
// filled in: the tenant, and provision as what is to be done.
func readOrder(stdin io.Reader, path, tenant string) (linegate.Order, error) {
	text, err := readFileOr(stdin, path)
	if err != nil {
		return linegate.Order{}, err
	}
	written := orderFile{Kind: linegate.OrderProvision, Tenant: tenant}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&written); err != nil {
		return linegate.Order{}, fmt.Errorf("%s: %s", path, goType.ReplaceAllString(err.Error(), ""))
	}
	order, err := written.order()
	if err != nil {
		return order, fmt.Errorf("%s: %w", path, err)
	}
	return order, nil
}

func readFileOr(stdin io.Reader, path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(path)
}

func (f orderFile) order() (linegate.Order, error) {
	order := linegate.Order{
		Key: f.Key, Kind: f.Kind, Tenant: f.Tenant, Username: f.Username, Actor: actor(), Set: map[string]string{},
		Addresses: linegate.AddressWishes(f.Addresses), VLAN: linegate.VLANWish(f.VLAN),
		AllowIPv4Only: f.AllowIPv4Only, Strategy: f.Strategy, SuspendRate: f.SuspendRate.rate(), Quarantine: f.Quarantine,
	}
	for name, value := range f.Profile {
		switch {
		case value.Kind != yaml.ScalarNode:
			return order, fmt.Errorf("line %d: %s: one value is expected", value.Line, name)
		case value.Tag == "!!null":
			order.Set[name] = ""
		default:
			order.Set[name] = value.Value
		}
	}
	if f.ONU != nil {
		order.ONU = &linegate.ONUWish{
			Serial: f.ONU.Serial, UNI: f.ONU.UNI, CustomerVLAN: f.ONU.CustomerVLAN, Transparent: f.ONU.Transparent,
			TechProfile: f.ONU.TechProfile, CIR: f.ONU.Committed.rate(), GIR: f.ONU.Guaranteed.rate(),
		}
	}
	if f.CPE == nil {
		return order, nil
	}
	order.CPE = &linegate.CPEWish{Device: f.CPE.Device, WithoutQinQ: f.CPE.WithoutQinQ, IPv4Length: f.CPE.IPv4Length, PPP: f.CPE.PPP, Expiry: f.CPE.Expiry}
	return order, errors.Join(addressIn("cpe.ipv4_gateway", f.CPE.IPv4Gateway, &order.CPE.IPv4Gateway), addressesIn("cpe.dns", f.CPE.DNS, &order.CPE.DNS))
}

func addressIn(field, text string, into *netip.Addr) (err error) {
	if text == "" {
		return nil
	}
	if *into, err = netip.ParseAddr(text); err != nil {
		return &linegate.FieldError{Field: field, Value: text, Allowed: "an IP address"}
	}
	return nil
}

func addressesIn(field string, texts []string, into *[]netip.Addr) error {
	for _, text := range texts {
		var address netip.Addr
		if err := addressIn(field, text, &address); err != nil {
			return err
		}
		*into = append(*into, address)
	}
	return nil
}
