package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"linegate"
	"linegate/cmd/linegate/problem"
	"linegate/store"
)

// plan is what an apply file asks for, read and checked as far as that goes
// without the store's own state.
type plan struct {
	tenants []string // of file and store
	// fallback is the tenant of objects that name none; empty: they have to.
	fallback string
	can      *expressible
	objects  []plannedObject
	lines    map[string]int // where an object is, by kind, tenant and name
	found    *problem.List
}

// plannedObject is one tenant, NAS or subscriber of the file.
type plannedObject struct {
	line   int
	kind   linegate.AuditKind
	tenant string
	name   string
	put    func(store.Tx) (linegate.Outcome, []linegate.FieldChange, error)
}

// readPlan reads an apply file. stored are the store's tenants; tenant, when not
// empty, is the one of objects that name none.
func readPlan(path, tenant string, stored []string, can *expressible) (*plan, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("apply file: %w", err)
	}
	p := &plan{tenants: stored, fallback: tenant, can: can, lines: map[string]int{}, found: &problem.List{File: path}}
	if document, ok := problem.ParseYAML(text, p.found); ok {
		p.read(document)
	}
	return p, p.found.Err()
}

// read takes the sections in the order in which their objects need one another,
// whatever their order in the file.
func (p *plan) read(document problem.Value) {
	sections := []string{"tenants", "nas", "subscribers"}
	entries := document.Entries(p.found, "", sections)
	readers := []func(problem.Value){p.readTenant, p.readNAS, p.readSubscriber}
	for i, section := range sections {
		for _, entry := range entries {
			if entry.Key != section {
				continue
			}
			for _, item := range entry.Value.List() {
				readers[i](item)
			}
		}
		if section == "tenants" {
			p.settleTenants()
		}
	}
}

// settleTenants finds the tenant of objects that name none: the only one of the
// file, or of the store when the file has none.
func (p *plan) settleTenants() {
	stored := p.tenants
	var own []string
	for _, object := range p.objects {
		own = append(own, object.name)
	}
	p.tenants = append(slices.Clone(own), stored...)
	if len(own) == 0 {
		own = stored
	}
	if p.fallback == "" && len(own) == 1 {
		p.fallback = own[0]
	}
}

func (p *plan) readTenant(item problem.Value) {
	const prefix = "tenants."
	tenant := linegate.Tenant{}
	for _, entry := range item.Entries(p.found, prefix, []string{"name", "push_changes"}) {
		text, ok := p.text(entry, prefix)
		switch {
		case !ok:
		case entry.Key == "name":
			tenant.Name = text
		default:
			p.found.AddFields(entry.Value.Line(), prefix, tenant.SetPushChanges(text))
		}
	}
	if p.found.AddFields(item.Line(), prefix, tenant.Validate()) {
		return
	}
	p.add(plannedObject{item.Line(), linegate.AuditTenant, tenant.Name, tenant.Name,
		func(tx store.Tx) (linegate.Outcome, []linegate.FieldChange, error) {
			outcome, err := tx.PutTenant(tenant)
			if outcome != linegate.Changed {
				return outcome, nil, err
			}
			return outcome, tenant.Diff(&linegate.Tenant{PushChanges: !tenant.PushChanges}), err
		}})
}

func (p *plan) readNAS(item problem.Value) {
	const prefix = "nas."
	nas := linegate.NAS{Tenant: p.fallback}
	keep := keptSecrets{nas: true, coa: true}
	fields := nasFields(p.can.dialects)
	known := []string{"tenant", "name"}
	for _, field := range fields {
		known = append(known, field.name)
	}
	for _, entry := range item.Entries(p.found, prefix, known) {
		text, ok := p.text(entry, prefix)
		switch {
		case !ok:
		case entry.Key == "tenant":
			nas.Tenant = text
		case entry.Key == "name":
			nas.Name = text
		default:
			field := fields[slices.IndexFunc(fields, func(f nasField) bool { return f.name == entry.Key })]
			p.found.AddFields(entry.Value.Line(), prefix, field.set(&nas, text))
		}
		keep.nas = keep.nas && (entry.Key != "secret" || text == "")
		keep.coa = keep.coa && entry.Key != "coa_secret"
	}
	p.checkTenant(item, prefix, nas.Tenant)
	p.can.add(nas.Tenant, nas.Dialect)
	p.add(plannedObject{item.Line(), linegate.AuditNAS, nas.Tenant, nas.Name,
		func(tx store.Tx) (linegate.Outcome, []linegate.FieldChange, error) { return putNAS(tx, nas, keep) }})
}

// keptSecrets are the secrets of a NAS that stay as they are stored.
type keptSecrets struct{ nas, coa bool }

// putNAS writes a NAS.
func putNAS(tx store.Tx, nas linegate.NAS, keep keptSecrets) (linegate.Outcome, []linegate.FieldChange, error) {
	stored, err := storedNAS(tx, nas.Tenant, nas.Name)
	if err != nil {
		return "", nil, err
	}
	if stored != nil && keep.nas {
		nas.Secret = stored.Secret
	}
	if stored != nil && keep.coa {
		nas.CoASecret = stored.CoASecret
	}
	outcome, err := tx.PutNAS(nas)
	if err != nil || outcome == linegate.Unchanged {
		return outcome, nil, err
	}
	written, err := tx.NAS(nas.Tenant, nas.Name)
	return outcome, written.Diff(stored), err
}

func (p *plan) readSubscriber(item problem.Value) {
	const prefix = "subscribers."
	subscriber := &linegate.Subscriber{Tenant: p.fallback}
	hasPassword := false
	for _, entry := range item.Entries(p.found, prefix, []string{"tenant", "username", "password", "status", "profile"}) {
		if entry.Key == "profile" {
			p.readProfile(entry.Value, subscriber)
			continue
		}
		text, ok := p.text(entry, prefix)
		switch {
		case !ok:
		case entry.Key == "tenant":
			subscriber.Tenant = text
		default:
			p.found.AddFields(entry.Value.Line(), prefix, subscriberField(entry.Key).Set(subscriber, text))
		}
		hasPassword = hasPassword || entry.Key == "password" && text != ""
	}
	p.checkTenant(item, prefix, subscriber.Tenant)
	p.add(plannedObject{item.Line(), linegate.AuditSubscriber, subscriber.Tenant, subscriber.Username,
		func(tx store.Tx) (linegate.Outcome, []linegate.FieldChange, error) {
			return putSubscriber(tx, p.can, subscriber, hasPassword)
		}})
}

func (p *plan) readProfile(profile problem.Value, subscriber *linegate.Subscriber) {
	const prefix = "subscribers.profile."
	var known []string
	for _, field := range linegate.Fields() {
		if !ofAccount(field.Name) {
			known = append(known, field.Name)
		}
	}
	subscriber.Profile = &linegate.NetworkProfile{}
	for _, entry := range profile.Entries(p.found, prefix, known) {
		if text, ok := p.text(entry, prefix); ok {
			p.found.AddFields(entry.Value.Line(), prefix, subscriberField(entry.Key).Set(subscriber, text))
		}
	}
}

// putSubscriber writes a subscriber; without a password of its own it keeps the
// stored one.
func putSubscriber(tx store.Tx, can *expressible, subscriber *linegate.Subscriber, hasPassword bool) (linegate.Outcome, []linegate.FieldChange, error) {
	stored, err := unlessMissing(tx.Subscriber(subscriber.Tenant, subscriber.Username))
	if err != nil {
		return "", nil, err
	}
	if stored != nil && !hasPassword {
		subscriber.Credential = stored.Credential
	}
	whole := subscriber.Clone()
	whole.Normalize()
	if err := can.check(whole); err != nil {
		return "", nil, err
	}
	outcome, err := tx.PutSubscriber(subscriber)
	if err != nil || outcome == linegate.Unchanged {
		return outcome, nil, err
	}
	written := subscriber.Clone()
	written.Normalize()
	return outcome, written.Diff(stored), nil
}

// ofAccount tells the properties of the subscriber itself from those of the
// network profile.
func ofAccount(field string) bool {
	return slices.Contains([]string{"username", "password", "status"}, field)
}

// subscriberField returns the property with a name that is known to exist.
func subscriberField(name string) linegate.Field {
	fields := linegate.Fields()
	return fields[slices.IndexFunc(fields, func(f linegate.Field) bool { return f.Name == name })]
}

// listSeparators are the keys that may hold a list, and what parts its items in the
// one text that it stands for.
var listSeparators = map[string]string{
	"identify": ",", "line_match": ",", "dns_servers": ",", "more_lines": "; ", "reply_attributes": "; ",
}

// text returns the value of a key. Those of listSeparators may be a list, which is
// joined; any other list, and a mapping, is noted, with ok false.
func (p *plan) text(entry problem.Entry, prefix string) (text string, ok bool) {
	items := []problem.Value{entry.Value}
	separator, listed := listSeparators[entry.Key]
	if listed {
		items = entry.Value.List()
	}
	var texts []string
	for _, item := range items {
		text, single := item.Scalar()
		if !single {
			p.found.Add(item.Line(), "%s%s: a single value is expected", prefix, entry.Key)
			return "", false
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, separator), true
}

func (p *plan) checkTenant(item problem.Value, prefix, tenant string) {
	switch known := strings.Join(p.tenants, ", "); {
	case tenant == "":
		p.found.Add(item.Line(), "%stenant: must be given, there is not just one (known: %s)", prefix, cmp.Or(known, "none"))
	case !slices.Contains(p.tenants, tenant):
		p.found.NotAllowed(item.Line(), prefix+"tenant", tenant, "a tenant of this file or of the store: "+cmp.Or(known, "none"))
	}
}

// add takes an object into the plan unless the file has it already.
func (p *plan) add(object plannedObject) {
	key := string(object.kind) + "\x00" + object.tenant + "\x00" + linegate.ComparableUsername(object.name)
	if first, twice := p.lines[key]; twice {
		p.found.Add(object.line, "%s %q: given twice, first on line %d", object.kind, object.name, first)
		return
	}
	p.lines[key] = object.line
	p.objects = append(p.objects, object)
}
