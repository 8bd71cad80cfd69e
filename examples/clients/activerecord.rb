# ActiveRecord. It reads the columns from the database by itself.
require "active_record"
require "json"

$count = 0
def check(what, holds)
  $count += 1
  puts "#{holds ? "" : "not "}ok #{$count} - #{what}"
end

# Checks that the block fails with that SQLSTATE, and a hint.
def refused(what, code)
  ActiveRecord::Base.transaction(requires_new: true) { yield }
  check("#{what}: #{code}", false)
rescue ActiveRecord::ActiveRecordError => error
  result = error.cause.result
  check("#{what}: #{code}", result.error_field(PG::PG_DIAG_SQLSTATE) == code && result.error_field(PG::PG_DIAG_MESSAGE_HINT))
end

ActiveRecord::Base.establish_connection("#{ENV["DATABASE_URL"]}?schema_search_path=crm")
# The CRM's version number is not lock_version, which ActiveRecord would count itself.
class Row < ActiveRecord::Base
  self.abstract_class = true
end
class Pipeline < Row
  has_many :stages
  has_many :deals
end
class Stage < Row
  belongs_to :pipeline
end
class Owner < Row
  self.primary_key = "id" # a view
end
class Tag < Row; end
class DealTag < Row
  self.primary_key = "id" # the table's own is of two columns
  belongs_to :deal
  belongs_to :tag
end
class StageChange < Row; end
class Deal < Row
  belongs_to :pipeline, optional: true
  belongs_to :stage, optional: true
  belongs_to :owner, optional: true
  has_many :deal_tags
  has_many :tags, through: :deal_tags
  has_many :stage_changes, -> { order(:move_no) }
end

def call(sql, *values)
  ActiveRecord::Base.connection.select_value(ActiveRecord::Base.sanitize_sql([sql, *values]))
end

check("introspects", Deal.columns_hash["stage_id"].default_function.start_with?("crm_defaults."))

pipeline = Pipeline.find(call("SELECT id FROM create_pipeline('activerecord', ?)",
  [{name: "Lead", probability: 0.1}, {name: "Proposal", probability: 0.6}, {name: "Won", deal_status: "won"}].to_json))
lead, proposal = pipeline.stages.order(:position).to_a
owner = Owner.first

deal = Deal.create!(title: "Presses", amount: "48000.50", pipeline: pipeline, owner: owner).reload
check("creates, and reads what was filled in", deal.stage == lead && deal.status == "open" &&
  deal.currency == "USD" && deal.probability == 0.1.to_d && deal.version == 1)

2.times { Deal.where(id: deal.id).update_all(deal.reload.attributes.except("id")) }
deal.reload
check("saves the whole row twice", deal.version == 3 && deal.move_no == 0)
deal.update!(title: "Presses 2", probability: nil, currency: nil, status: nil, stage_id: nil)
deal.reload
check("null is not given", deal.probability == 0.1.to_d && deal.currency == "USD" && deal.stage == lead && deal.version == 4)

deal.update!(stage: proposal)
deal.reload
check("moves", deal.stage == proposal && deal.probability == 0.6.to_d && deal.move_no == 1)
refused("refuses a stale move", "PT409") { call("SELECT id FROM move_deal(?, ?, expected_stage_id => ?)", deal.id, lead.id, lead.id) }
check("a stale version updates no row", Deal.where(id: deal.id, version: deal.version - 1).update_all(amount: 1) == 0)
refused("refuses a status without a stage", "23514") { deal.update!(status: "lost") }
deal.reload

Deal.insert_all(%w[One Two Three].map { |title| {title: title, pipeline_id: pipeline.id} })
[10, 20].each do |amount|
  Deal.upsert({external_id: "activerecord-1", title: "Synced", amount: amount, pipeline_id: pipeline.id}, unique_by: [:external_id, :tenant_id])
end
check("creates in bulk, and upserts", Deal.find_by(external_id: "activerecord-1").amount == 20)

deal.tags << Tag.create!(name: "activerecord")
full = Deal.includes(:stage, :pipeline, :owner, :tags).find(deal.id)
check("includes relations", full.stage.name == "Proposal" && full.pipeline.name == "activerecord" &&
  full.owner.name == "Ada" && full.tags.map(&:name) == ["activerecord"])
total = call("SELECT pipeline_summary(?) #> '{open,total_deals}'", pipeline.id)
check("history and summary", deal.stage_changes.first.to_stage_id == proposal.id && total == "5")
check("deletes", pipeline.deals.delete_all == 5)
